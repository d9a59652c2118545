"""Time to import the window step, against scikit-learn's base and pandas, which are imported anyway.

    python tests/benchmarks/import_time.py [--pairs N]

Each import happens in a new interpreter; the two take turns. Only the import is timed, not the
interpreter.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

from machine import describe

OURS = "from skrnn import SlidingWindowTransformer"
REFERENCE = "import sklearn.base, pandas"
TARGET = 1.3
PROGRAM = """
import sys, time
start = time.perf_counter()
{statement}
print(time.perf_counter() - start, "torch" in sys.modules)
"""


def import_in_new_interpreter(statement: str) -> tuple[float, bool]:
    """Return the seconds that an import took, and whether torch came with it."""
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statement=statement)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, torch_too = child.stdout.split()
    return float(seconds), torch_too == "True"


def main() -> None:
    """Print the median of the ratios of the pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9, metavar="N")
    n_pairs = parser.parse_args().pairs
    for statement in (OURS, REFERENCE):
        import_in_new_interpreter(statement)  # files into the cache of the disk
    pairs = [(import_in_new_interpreter(OURS), import_in_new_interpreter(REFERENCE)) for _ in range(n_pairs)]
    ours = [seconds for (seconds, _), _ in pairs]
    reference = [seconds for _, (seconds, _) in pairs]
    ratios = sorted(a / b for a, b in zip(ours, reference, strict=True))
    torch_too = any(imported for (_, imported), _ in pairs)
    print(f"Target: a ratio of at most {TARGET}, and no torch. {n_pairs} pairs.\n")
    print("| import | seconds, median |")
    print("| --- | --- |")
    print(f"| `{REFERENCE}` | {median(reference):.3f} |")
    print(f"| `{OURS}` | {median(ours):.3f} |")
    print(f"\nratio: median {median(ratios):.2f}, lowest {ratios[0]:.2f}, highest {ratios[-1]:.2f}")
    print(f"torch in sys.modules: {'yes' if torch_too else 'no'}\n\n{describe()}")


if __name__ == "__main__":
    main()
