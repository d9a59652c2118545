"""Settings that must stand before scipy is imported."""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # else scikit-learn skips its checks of array inputs
