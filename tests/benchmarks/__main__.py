"""Speed of fit and predict, against a bare torch loop, a limit in C and other packages; cost as things grow.

    python -m tests.benchmarks [--small] [--parts fit predict growth] [--workloads NAME ...] [--epochs N] [--rounds N]
                               [--peers NAME ...] [--python NAME=PATH ...] [--write]

Prints Markdown; with --write it also takes the place of what stands between the two marks in docs/benchmarks.md. Run
it on a quiet machine. Packages to compare with are used where they are installed; one that lives in another
environment is named with its interpreter: --python keras=/path/to/python.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the programs here import each other as they do when run by path

import growth
import predict_speed
from fit_speed import PEERS, FitSpeed
from machine import describe, settings
from workloads import WORKLOADS

PARTS = ("fit", "predict", "growth")
BEGIN, END = "<!-- python -m tests.benchmarks: begin -->", "<!-- python -m tests.benchmarks: end -->"
DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--small", action="store_true", help="few rows, one epoch, two rounds: a try, no measurement")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--workloads", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--epochs", type=int, default=10, metavar="N")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="fits of each kind; default: 15 of the short, 5 of the long"
    )
    parser.add_argument(
        "--peer-rounds", type=int, metavar="N", help="of which other packages take part in (default: 3)"
    )
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, metavar="NAME", help=", ".join(PEERS))
    parser.add_argument("--python", nargs="+", default=[], metavar="NAME=PATH", help="interpreters of other packages")
    parser.add_argument("--write", action="store_true", help="write into docs/benchmarks.md")
    return parser.parse_args()


def report(arguments: argparse.Namespace) -> Iterator[str]:
    """All parts asked for, a line at a time."""
    workloads = tuple(workload for workload in WORKLOADS if workload.name in arguments.workloads)
    epochs, n_rounds, n_rows = arguments.epochs, arguments.rounds, 20_000
    if arguments.small:
        workloads, epochs, n_rounds, n_rows = tuple(w.shortened() for w in workloads), 1, n_rounds or 2, 1_000
    yield f"`python -m tests.benchmarks`, on {describe()}. Environment: {settings() or 'nothing set'}.\n"
    if "fit" in arguments.parts:
        pythons = dict(pair.split("=", 1) for pair in arguments.python)
        yield from FitSpeed(
            workloads, epochs, n_rounds, arguments.peer_rounds, tuple(arguments.peers), pythons
        ).report()
    if "predict" in arguments.parts:
        yield from predict_speed.report(workloads, n_rows, n_rounds or 5)
    if "growth" in arguments.parts:
        yield from growth.report(n_rounds or 5, arguments.small)


def write(lines: list[str]) -> None:
    """Put the report between the marks of the document."""
    text = DOCUMENT.read_text()
    if BEGIN not in text or END not in text:
        sys.exit(f"{DOCUMENT} must hold the lines {BEGIN} and {END}, between which the report is to stand.")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines).strip() + f"\n\n{END}{after}")


def main() -> None:
    """Measure, print, and write when asked to."""
    arguments = parse()
    lines = []
    for line in report(arguments):
        print(line, flush=True)
        lines.append(line)
    if arguments.write:
        write(lines)


if __name__ == "__main__":
    main()
