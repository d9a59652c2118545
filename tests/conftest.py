"""Settings that must stand before scipy is imported, and before a test sends itself a Ctrl-C."""

import os
import signal

import pytest

os.environ["SCIPY_ARRAY_API"] = "1"  # else scikit-learn skips its checks of array inputs
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it


@pytest.fixture
def at_batch(monkeypatch):
    """Call `at_batch(n, what)` and `what(loss)` becomes the n-th training loss (from 1) and those after."""
    from skrnn._net import RecurrentNet

    def patch(n, what):
        get_loss, seen = RecurrentNet.get_loss, []

        def patched(self, *args, training=False, **kwargs):
            loss = get_loss(self, *args, training=training, **kwargs)
            seen.append(training)
            return what(loss) if training and sum(seen) >= n else loss

        monkeypatch.setattr(RecurrentNet, "get_loss", patched)

    return patch
