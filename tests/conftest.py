"""Settings that must stand before scipy is imported, and before a test sends itself a Ctrl-C."""

import os
import signal

os.environ["SCIPY_ARRAY_API"] = "1"  # else scikit-learn skips its checks of array inputs
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
