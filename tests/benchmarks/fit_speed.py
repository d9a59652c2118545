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

OURS, BARE, LIMIT = "skrnn", "torch", "limit"
NO_NUMBA, ONE_THREAD = "skrnn without numba", "torch on 1 thread"
OWN = (OURS, BARE, LIMIT, NO_NUMBA, ONE_THREAD)
PEERS = ("keras", "darts", "neuralforecast", "skforecast")


@dataclass(frozen=True)
class Marks:
    """What the median ratio of skrnn's time and another's is to be at most; `no_numba` is against torch as well."""

    torch: float
    limit: float
    keras: float
    no_numba: float


MARKS = {
    "rnn 40x2": Marks(torch=0.40, limit=1.6, keras=0.25, no_numba=0.62),
    "bilstm 32x2": Marks(torch=0.60, limit=1.3, keras=0.30, no_numba=0.97),
    "gru 32": Marks(torch=0.25, limit=1.6, keras=0.25, no_numba=0.62),
    "lstm 32": Marks(torch=0.45, limit=1.6, keras=0.30, no_numba=0.97),
    "lstm 64": Marks(torch=0.55, limit=1.3, keras=0.30, no_numba=0.97),
    "gru 64": Marks(torch=0.28, limit=1.3, keras=0.25, no_numba=0.62),
    "rnn 64": Marks(torch=0.40, limit=1.5, keras=0.25, no_numba=0.62),
    "lstm 128x2": Marks(torch=0.55, limit=1.3, keras=0.30, no_numba=0.97),
}


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

    def ratio(self, package: str, to: str, mark: float | None = None) -> str:
        """Median and range of the ratios of the rounds in which both took part, and the mark; a dash without times."""
        if package in self.rounds and to in self.rounds:
            found = median_and_range(ratios(self.rounds[package], self.rounds[to]))
            return found if mark is None else f"{found}, mark {mark:.2f}"
        return "–"


class FitSpeed:
    """Runs and tells.

    Parameters
    ----------
    workloads : sequence of Workload
    epochs : int
    n_rounds, n_peer_rounds : int or None
        Rounds, and those in which other packages and torch on one thread take part as well. None: what each workload
        says, and at most 3.
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
            workers = {name: stack.enter_context(self.start(name)) for name in (*OWN, *self.peers)}
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
        if name == NO_NUMBA:
            return Worker(OURS, without_numba=True)
        if name == ONE_THREAD:
            return Worker(BARE, variables={"OMP_NUM_THREADS": "1"})
        return Worker(name, self.pythons.get(name, sys.executable))

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
            always = (OURS, BARE, LIMIT, NO_NUMBA)
            taking_part = [name for name in times.rounds if name in always or i < n_peer_rounds]
            for name in taking_part if i % 2 == 0 else reversed(taking_part):
                try:
                    times.rounds[name].append(workers[name].fit(self.epochs))
                except Failed as failed:
                    times.failed[name] = str(failed)
                    del times.rounds[name]
        return times

    def own_tables(self, times: list[Times]) -> Iterator[str]:
        """Against the bare loop and the limit, with numba and without."""
        threads = self.descriptions[BARE]["threads"]
        yield "#### Against a bare torch loop and the limit\n"
        yield (
            f"Wall time of `fit`, epochs: {self.epochs}, everything included but validation; the bare loop on torch's "
            f"default of {threads} threads. Ratios are medians of paired rounds (range); the marks are what they "
            "were to be at most. The limit is `limit.c`: the same net in C around the matrix product that torch ships, "
            "one call a batch, without autograd.\n"
        )
        yield (
            "| net | torch, ms a batch | limit, ms a batch | skrnn, ms a batch | skrnn, s | skrnn / torch "
            "| skrnn / limit | without numba, skrnn / torch | skrnn / torch on 1 thread |"
        )
        yield "| --- " * 9 + "|"
        for t in times:
            marks = MARKS[t.workload.name]
            cells = [str(t.workload)]
            cells += [f"{t.milliseconds(p):.2f}" if p in t.rounds else "–" for p in (BARE, LIMIT, OURS)]
            cells += [f"{median(t.rounds[OURS]):.2f}" if OURS in t.rounds else "–"]
            cells += [t.ratio(OURS, BARE, marks.torch), t.ratio(OURS, LIMIT, marks.limit)]
            cells += [t.ratio(NO_NUMBA, BARE, marks.no_numba), t.ratio(OURS, ONE_THREAD)]
            yield f"| {' | '.join(cells)} |"
        yield ""
        yield from self.failures(times, OWN)

    def peer_tables(self, times: list[Times]) -> Iterator[str]:
        """Against other packages."""
        yield "#### Against other packages\n"
        yield (
            "The same rounds, the same net, windows, batch size and epochs as nearly as each package allows; the fit "
            "alone, after a first one. In brackets the range, and ms a batch of the other.\n"
        )
        yield f"| net | {' | '.join(f'skrnn / {peer}' for peer in self.peers)} |"
        yield "| --- " * (len(self.peers) + 1) + "|"
        for t in times:
            cells = [str(t.workload)]
            for peer in self.peers:
                its = f" [{t.milliseconds(peer):.2f} ms]" if peer in t.rounds else ""
                mark = MARKS[t.workload.name].keras if peer == "keras" else None
                cells.append(t.ratio(OURS, peer, mark) + its)
            yield f"| {' | '.join(cells)} |"
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
        names = (*OWN, *self.peers)
        yield "#### The first fit\n"
        yield (
            "Seconds of the first fit of each net in a process, one epoch: tracing, first-time buffers, kernels read "
            f"from disk. With all of them to be compiled, the first of skrnn takes {self.first_fit_ever():.1f} s.\n"
        )
        yield f"| net | {' | '.join(names)} |"
        yield "| --- " * (len(names) + 1) + "|"
        for t in times:
            cells = [f"{t.first[name]:.2f}" if name in t.first else "–" for name in names]
            yield f"| {t.workload.name} | {' | '.join(cells)} |"
        yield ""
