"""Wall time of `fit`: RNNRegressor, a bare torch loop, the limit in C and other packages take turns.

Each has a process of its own, idle while the others run. Every round runs each of them once, the next one in the
opposite order; a ratio is that of two times of one round.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from tempfile import TemporaryDirectory

from ratios import median_and_range, ratios
from worker import Failed, Worker
from workloads import Workload

OURS, BARE, LIMIT, NO_NUMBA = "skrnn", "torch", "limit", "skrnn without numba"
PEERS = ("keras", "darts", "neuralforecast", "skforecast")

# what the median ratio of skrnn's time and another's may be at most
AT_MOST = {
    BARE: {
        "rnn 40x2": 0.40,
        "bilstm 32x2": 0.60,
        "gru 32": 0.25,
        "lstm 32": 0.45,
        "lstm 64": 0.55,
        "gru 64": 0.28,
        "rnn 64": 0.40,
        "lstm 128x2": 0.55,
    },
    LIMIT: {
        "rnn 40x2": 1.6,
        "bilstm 32x2": 1.3,
        "gru 32": 1.6,
        "lstm 32": 1.6,
        "lstm 64": 1.3,
        "gru 64": 1.3,
        "rnn 64": 1.5,
        "lstm 128x2": 1.3,
    },
    "keras": {
        "rnn 40x2": 0.25,
        "bilstm 32x2": 0.30,
        "gru 32": 0.25,
        "lstm 32": 0.30,
        "lstm 64": 0.30,
        "gru 64": 0.25,
        "rnn 64": 0.25,
        "lstm 128x2": 0.30,
    },
}
AT_MOST_WITHOUT_NUMBA = {"rnn": 0.62, "gru": 0.62, "lstm": 0.97}  # its time over that of the bare loop


@dataclass
class Times:
    """Seconds of each package on one workload.

    Attributes
    ----------
    first : dict of str to float
        Of the first fit, which has one epoch.
    rounds : dict of str to list of float
        Of the fits of each round; a package may take part in the first rounds only.
    failed : dict of str to str
        Why a package has no times.
    """

    workload: Workload
    epochs: int
    first: dict[str, float] = field(default_factory=dict)
    rounds: dict[str, list[float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def milliseconds(self, package: str) -> float:
        """A batch, median."""
        return 1e3 * median(self.rounds[package]) / (self.epochs * self.workload.n_batches)

    def ratio(self, package: str, to: str) -> str:
        """Median and range of the ratios of the rounds in which both took part; a dash where there is none."""
        if package in self.rounds and to in self.rounds:
            return median_and_range(ratios(self.rounds[package], self.rounds[to]))
        return "–"


class FitSpeed:
    """Runs and tells.

    Parameters
    ----------
    workloads : sequence of Workload
    epochs : int
    n_rounds, n_peer_rounds : int or None
        Rounds, and those in which other packages take part as well. None: what each workload says, and at most 3.
    peers : sequence of str
    pythons : dict of str to str
        Interpreters of packages that have one of their own.
    """

    def __init__(
        self,
        workloads: tuple[Workload, ...],
        epochs: int,
        n_rounds: int | None,
        n_peer_rounds: int | None,
        peers: tuple[str, ...],
        pythons: dict[str, str],
    ) -> None:
        self.workloads, self.epochs, self.pythons = workloads, epochs, pythons
        self.n_rounds, self.n_peer_rounds = n_rounds, n_peer_rounds
        self.peers = peers
        self.descriptions: dict[str, dict[str, str]] = {}

    def report(self) -> Iterator[str]:
        """Markdown, a line at a time."""
        with ExitStack() as stack:
            workers = {
                name: stack.enter_context(self.start(name)) for name in (OURS, BARE, LIMIT, NO_NUMBA, *self.peers)
            }
            times = []
            for workload in self.workloads:
                times.append(self.measure(workload, workers))
                print(f"{workload}: skrnn / torch {times[-1].ratio(OURS, BARE)}", file=sys.stderr, flush=True)
        yield from self.own_tables(times)
        if self.peers:
            yield from self.peer_tables(times)
        yield from self.first_fits(times)

    def start(self, name: str) -> Worker:
        """Start a package's process."""
        package = OURS if name == NO_NUMBA else name
        return Worker(package, self.pythons.get(name, sys.executable), without_numba=name == NO_NUMBA)

    def measure(self, workload: Workload, workers: dict[str, Worker]) -> Times:
        """All rounds of one workload."""
        times = Times(workload, self.epochs)
        for name, worker in workers.items():
            try:
                self.descriptions[name] = worker.prepare(workload)
                times.first[name] = worker.fit(1)
                times.rounds[name] = []
            except Failed as failed:
                times.failed[name] = str(failed)
        n_rounds = self.n_rounds or workload.n_rounds
        n_peer_rounds = self.n_peer_rounds or min(3, n_rounds)
        for i in range(n_rounds):
            taking_part = [name for name in times.rounds if name not in self.peers or i < n_peer_rounds]
            for name in taking_part if i % 2 == 0 else reversed(taking_part):
                times.rounds[name].append(workers[name].fit(self.epochs))
        return times

    def own_tables(self, times: list[Times]) -> Iterator[str]:
        """Against the bare loop and the limit, with numba and without."""
        threads = self.descriptions[BARE]["threads"]
        yield "#### Against a bare torch loop and the limit\n"
        yield (
            f"Wall time of `fit`, epochs: {self.epochs}, everything included but validation; the bare loop on torch's "
            f"default of {threads} threads. Ratios are medians of paired rounds (range); the marks are what they "
            "were to be at most. The limit is `limit.c`: the same net in C, one call a batch, without autograd.\n"
        )
        yield (
            "| net | torch, ms a batch | limit, ms a batch | skrnn, ms a batch | skrnn, s | skrnn / torch | mark "
            "| skrnn / limit | mark | without numba, skrnn / torch | mark |"
        )
        yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
        for t in times:
            name = t.workload.name
            cells = [str(t.workload)]
            cells += [f"{t.milliseconds(p):.2f}" if p in t.rounds else "–" for p in (BARE, LIMIT, OURS)]
            cells += [f"{median(t.rounds[OURS]):.2f}" if OURS in t.rounds else "–"]
            cells += [t.ratio(OURS, BARE), str(AT_MOST[BARE][name]), t.ratio(OURS, LIMIT), str(AT_MOST[LIMIT][name])]
            cells += [t.ratio(NO_NUMBA, BARE), str(AT_MOST_WITHOUT_NUMBA[t.workload.cell])]
            yield f"| {' | '.join(cells)} |"
        yield ""
        yield from self.failures(times, (OURS, BARE, LIMIT, NO_NUMBA))

    def peer_tables(self, times: list[Times]) -> Iterator[str]:
        """Against other packages."""
        yield "#### Against other packages\n"
        yield (
            "The same rounds, the same net, windows, batch size and epochs as nearly as each package allows; the fit "
            "alone, after a first one. In brackets ms a batch of the other, and the range.\n"
        )
        yield f"| net | {' | '.join(f'skrnn / {peer}' for peer in self.peers)} | mark for keras |"
        yield "| --- " * (len(self.peers) + 2) + "|"
        for t in times:
            cells = [str(t.workload)]
            for peer in self.peers:
                its = f" [{t.milliseconds(peer):.2f} ms]" if peer in t.rounds else ""
                cells.append(t.ratio(OURS, peer) + its)
            yield f"| {' | '.join(cells)} | {AT_MOST['keras'][t.workload.name]} |"
        yield ""
        for peer in self.peers:
            if peer in self.descriptions:
                told = self.descriptions[peer]
                yield f"* {peer} ({told['versions']}): {told['differs']}."
        yield ""
        yield from self.failures(times, self.peers)

    def failures(self, times: list[Times], names: tuple[str, ...]) -> Iterator[str]:
        """What has no times, and why."""
        told: dict[str, list[str]] = {}
        for t in times:
            for name in names:
                if name in t.failed:
                    told.setdefault(f"{name}: {t.failed[name]}", []).append(t.workload.name)
        for reason, workloads in told.items():
            yield f"* Without times: {reason} ({', '.join(workloads)})."
        if told:
            yield ""

    def first_fit_ever(self) -> float:
        """Seconds of the first fit on a machine, where no compiled kernel lies on the disk."""
        with TemporaryDirectory() as cache, Worker(OURS, variables={"NUMBA_CACHE_DIR": cache}) as worker:
            worker.prepare(self.workloads[0])
            return worker.fit(1)

    def first_fits(self, times: list[Times]) -> Iterator[str]:
        """What compiling, tracing and first-time buffers cost."""
        names = (OURS, BARE, LIMIT, NO_NUMBA, *self.peers)
        yield "#### The first fit\n"
        yield (
            "Seconds of the first fit of each net in a process, one epoch: tracing, first-time buffers, and kernels read "
            f"from the disk. Where they are still to be compiled, skrnn takes {self.first_fit_ever():.1f} s for the "
            "first net.\n"
        )
        yield f"| net | {' | '.join(names)} |"
        yield "| --- " * (len(names) + 1) + "|"
        for t in times:
            cells = [f"{t.first[name]:.2f}" if name in t.first else "–" for name in names]
            yield f"| {t.workload.name} | {' | '.join(cells)} |"
        yield ""
