"""Rows a second of `predict` against a torch loop, and the time of one row against scikit-learn's MLP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from statistics import median

from bare_torch import PREDICTION_BATCH
from ratios import median_and_range, ratios
from worker import Worker
from workloads import Workload

ONE_ROW = Workload("lstm", 32, 1, False, window=20, batch_size=32, n_rows=980)
CALLS = 300  # predictions of one row in each round
AT_LEAST, AT_MOST_ONE_ROW, AIM_ONE_ROW = 2.0, 4, 2


def in_turn(workload: Workload, names: tuple[str, str], n_rounds: int, times: int = 1) -> tuple[list[float], ...]:
    """Seconds of a prediction by two packages, round by round."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(name)) for name in names]
        for worker in workers:
            worker.prepare(workload)
        rounds = []
        for i in range(n_rounds):
            seconds = [0.0, 0.0]
            for k in (0, 1) if i % 2 == 0 else (1, 0):
                seconds[k] = workers[k].predict(times)
            rounds.append(seconds)
    return tuple(list(column) for column in zip(*rounds, strict=True))


def report(workloads: tuple[Workload, ...], n_rows: int, n_rounds: int) -> Iterator[str]:
    """Markdown, a line at a time."""
    yield "#### Prediction\n"
    yield (
        f"`predict` of {n_rows:,} windows in one call, against a torch loop in batches of {PREDICTION_BATCH} under "
        f"`no_grad`; {n_rounds} rounds. The mark: at least {AT_LEAST:.1f} times its rows a second.\n"
    )
    yield "| net | torch, rows/s | skrnn, rows/s | skrnn / torch, rows/s |"
    yield "| --- | --- | --- | --- |"
    for workload in workloads:
        ours, bare = in_turn(replace(workload, n_rows=n_rows), ("skrnn", "torch"), n_rounds)
        rates = [f"{n_rows / median(seconds):,.0f}" for seconds in (bare, ours)]
        cells = [f"{workload.name}, window {workload.window}", *rates, median_and_range(ratios(bare, ours))]
        yield f"| {' | '.join(cells)} |"
    ours, mlp = in_turn(ONE_ROW, ("skrnn one row", "mlp"), n_rounds, CALLS)
    yield ""
    yield (
        f"One row: {ONE_ROW.name}, window {ONE_ROW.window}, takes {1e6 * median(ours):.0f} µs, `MLPRegressor` with 100 "
        f"hidden values on {ONE_ROW.window} columns {1e6 * median(mlp):.0f} µs; ratio "
        f"{median_and_range(ratios(ours, mlp))}, to be at most {AT_MOST_ONE_ROW}, better {AIM_ONE_ROW} "
        f"(medians of {CALLS} calls in each of {n_rounds} rounds).\n"
    )
