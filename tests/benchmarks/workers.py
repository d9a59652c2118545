"""Workers: the same bits with one job and two, in threads and in processes; torch threads; time.

    python tests/benchmarks/workers.py [--epochs N]

A cross-validation of four fits is run in each way, every time with other global seeds. Compared are the
forecasts of all fitted pipelines, bit for bit, and whether the global generators were left alone.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from joblib import parallel_config
from machine import describe
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import TimeSeriesSplit, cross_validate
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skrnn import RNNRegressor, SlidingWindowTransformer
from skrnn.datasets import make_daily_series
from skrnn.metrics import mae_scorer

WAYS = {
    "1 job": (1, None),
    "1 job again": (1, None),
    "2 threads": (2, "threading"),
    "2 processes": (2, "loky"),
    "2 processes again": (2, "loky"),  # the workers are there already
}


class RecordThreads(Callback):
    """Remember how many torch threads a fit had."""

    def on_train_begin(self, net: object, **kwargs: object) -> None:
        self.n_threads_ = torch.get_num_threads()


@dataclass(frozen=True)
class Outcome:
    """What one way of running gave."""

    forecasts: np.ndarray  # (n_fits, n_times)
    n_threads: list[int]  # of each fit
    globals_untouched: bool
    seconds: float


def global_state() -> tuple[bytes, bytes]:
    """Return the state of numpy's and of torch's global generator."""
    numpys = np.random.get_state()[1]  # noqa: NPY002
    return numpys.tobytes(), torch.get_rng_state().numpy().tobytes()


def run(y: pd.Series, epochs: int, n_jobs: int, backend: str | None, global_seed: int) -> Outcome:
    """Cross-validate in one way."""
    X = y.to_frame()
    net = RNNRegressor(
        "gru",
        horizon=1,
        max_epochs=epochs,
        random_state=0,
        net_params={"callbacks": [("threads", RecordThreads())]},
    )
    pipeline = make_pipeline(SlidingWindowTransformer(20), net)
    np.random.seed(global_seed)  # noqa: NPY002
    torch.manual_seed(global_seed)
    before, start = global_state(), time.perf_counter()
    with parallel_config(backend=backend, n_jobs=n_jobs) if backend else parallel_config(n_jobs=n_jobs):
        result = cross_validate(
            pipeline, X, y, cv=TimeSeriesSplit(4), scoring=mae_scorer, n_jobs=n_jobs, return_estimator=True
        )
    seconds = time.perf_counter() - start
    fitted = result["estimator"]
    untouched = global_state() == before
    threads = [dict(pipeline[-1].net_.callbacks_)["threads"].n_threads_ for pipeline in fitted]
    forecasts = np.stack([pipeline.predict(X)[:, 0] for pipeline in fitted])
    return Outcome(forecasts, threads, untouched, seconds)


def main() -> None:
    """Print one line a way, and whether all gave the same bits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, default=50, metavar="N")
    epochs = parser.parse_args().epochs
    warnings.simplefilter("ignore", ConvergenceWarning)
    y = make_daily_series()
    run(y, 1, 1, None, 0)  # what only the first fit pays for
    first: Outcome | None = None
    same_everywhere = True
    print("| way | same bits | torch threads a fit | global generators untouched | seconds | times 1 job |")
    print("| --- | --- | --- | --- | --- | --- |")
    for seed, (way, (n_jobs, backend)) in enumerate(WAYS.items()):
        outcome = run(y, epochs, n_jobs, backend, seed)
        first = first or outcome
        same = np.array_equal(outcome.forecasts, first.forecasts)
        same_everywhere &= same and outcome.globals_untouched
        cells = [way, "yes" if same else "NO", str(outcome.n_threads)]
        cells += ["yes" if outcome.globals_untouched else "NO", f"{outcome.seconds:.2f}"]
        print("| " + " | ".join([*cells, f"{outcome.seconds / first.seconds:.2f}"]) + " |", flush=True)
    print(f"\n{describe()}")
    if not same_everywhere:
        raise SystemExit("Not the same everywhere.")


if __name__ == "__main__":
    main()
