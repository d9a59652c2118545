"""What a fit costs as the series, the window and the net grow: seconds of an epoch, and memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from statistics import median

from memory import MEGABYTE
from ratios import median_and_range, ratios
from worker import Worker
from workloads import Workload

BASE = Workload("gru", 32, 1, False, window=24, batch_size=128, n_rows=10_000)
N_ROWS, WINDOWS, HIDDEN = (1_000, 10_000, 100_000), (12, 24, 48, 96, 192), (16, 32, 64, 128)
FEW_ROWS = 2_000  # of a fit before the one whose memory is measured


def variants(small: bool) -> Iterator[tuple[str, Workload]]:
    """Name and workload of each row of the table; two of each kind when small, with few rows."""
    n_values, base = (2, replace(BASE, n_rows=500)) if small else (None, BASE)
    for n_rows in (250, 500) if small else N_ROWS:
        yield f"{n_rows:,} rows", replace(base, n_rows=n_rows)
    for window in WINDOWS[:n_values]:
        yield f"window {window}", replace(base, window=window)
    for hidden in HIDDEN[:n_values]:
        yield f"hidden {hidden}", replace(base, hidden_size=hidden)


def report(n_rounds: int, small: bool) -> Iterator[str]:
    """Markdown, a line at a time."""
    yield "#### As the series, the window and the net grow\n"
    yield (
        f"{BASE}, and what is named in its place. Seconds of a fit of one epoch, medians of {n_rounds} rounds in turn; "
        "memory: rise of the peak in a process of its own, over what it had before windows were made and fitted.\n"
    )
    yield "| | skrnn, s | torch, s | ratio | skrnn, MB | torch, MB |"
    yield "| --- | --- | --- | --- | --- | --- |"
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(name)) for name in ("skrnn", "torch")]
        for name, workload in variants(small):
            seconds: list[list[float]] = [[], []]
            for worker in workers:
                worker.prepare(workload)
                worker.fit(1)
            for _ in range(n_rounds):
                for column, worker in zip(seconds, workers, strict=True):
                    column.append(worker.fit(1))
            ratio = median_and_range(ratios(*seconds))
            memory = " | ".join(f"{rise_of_peak(package, workload) / MEGABYTE:.0f}" for package in ("skrnn", "torch"))
            yield f"| {name} | {median(seconds[0]):.3f} | {median(seconds[1]):.3f} | {ratio} | {memory} |"
    yield ""


def rise_of_peak(package: str, workload: Workload) -> float:
    """Bytes by which the peak memory rises over what is in use once a small fit has loaded everything."""
    with Worker(package) as worker:
        worker.prepare(replace(BASE, n_rows=FEW_ROWS))
        worker.fit(1)
        before = worker.memory_in_use()
        worker.prepare(workload)
        worker.fit(1)
        return max(0.0, worker.peak_memory() - before)
