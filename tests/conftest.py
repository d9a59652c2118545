"""Settings that must stand before scipy and numba are imported, and before a test sends itself a Ctrl-C."""

import hashlib
import os
import signal
import tempfile
from pathlib import Path

import pytest

os.environ["SCIPY_ARRAY_API"] = "1"  # else scikit-learn skips its checks of array inputs
# numba compiles a function anew when its own file has changed, not when those that it calls have: a cache of its own
# for each state of the sources
sources = sorted((Path(__file__).parents[1] / "skrnn" / "nn").glob("*.py"))
state = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"skrnn-kernels-{state}"))
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it


@pytest.fixture
def at_batch(monkeypatch):
    """Call `at_batch(n, what)` and `what(loss)` becomes the n-th training loss (from 1) and those after."""
    import torch

    from skrnn._net import RecurrentNet
    from skrnn.nn._compiled import has_kernels
    from skrnn.nn._direct import DirectStep, ready

    if has_kernels():
        ready()  # trains on a batch of its own

    def patch(n, what):
        get_loss, step, seen = RecurrentNet.get_loss, DirectStep.__call__, []

        def patched(self, *args, training=False, **kwargs):
            loss = get_loss(self, *args, training=training, **kwargs)
            seen.append(training)
            return what(loss) if training and sum(seen) >= n else loss

        def patched_step(self, *args):
            loss, *sums = step(self, *args)
            seen.append(True)
            if sum(seen) >= n:
                judged = torch.tensor(loss, requires_grad=True)
                became = what(judged)
                loss = float(became.detach())
                self.gradient *= float(torch.autograd.grad(became, judged)[0])
            return loss, *sums

        monkeypatch.setattr(RecurrentNet, "get_loss", patched)
        monkeypatch.setattr(DirectStep, "__call__", patched_step)

    return patch
