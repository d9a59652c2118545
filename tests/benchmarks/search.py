"""The search for settings that the choose_*.py scripts share: single changes, then the best of them together."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import describe

GAIN = 0.001  # of the relative error, below which a change is left out
MOST_TOGETHER = 3


@dataclass(frozen=True)
class Search:
    """A task with where its search begins, where it may go, and how it is judged."""

    task: Any
    base: dict[str, Any]
    changes: list[dict[str, Any]]
    parts: tuple[str, ...]
    reference: Callable[[Any, str], dict[str, float]]
    n_nets: int
    gain: float = GAIN
    in_time: dict[str, Any] = field(default_factory=dict)  # what is set in the end, so that a fit takes three minutes


def relative_error(search: Search, settings: dict[str, Any], references: dict[str, dict[str, float]]) -> float:
    """Error over that of the reference, mean over parts and kinds of error; infinite where training fails."""
    ratios = []
    for part in search.parts:
        try:
            errors = search.task.net(settings, 0, part).errors
        except ValueError as error:
            print(f"    failed: {error}")
            return float("inf")
        ratios += [errors[name] / value for name, value in references[part].items()]
    return float(np.mean(ratios))


def choose(name: str, search: Search) -> dict[str, Any]:
    """Try the base, each change, and the best of them together; print what they reach and return the winner."""
    references = {part: search.reference(search.task, part) for part in search.parts}
    print(f"\n{name}: error over that of the reference {references}", flush=True)
    best = relative_error(search, search.base, references)
    print(f"  {best:.4f}  to begin with", flush=True)
    singles = []
    for change in search.changes if best else []:  # nothing is better than no error
        error = relative_error(search, search.base | change, references)
        print(f"  {error:.4f}  {change}", flush=True)
        singles.append((error, change))
    chosen, start = search.base, best
    together: list[dict[str, Any]] = []
    for error, change in sorted(singles, key=lambda single: single[0]):
        if error > start - search.gain or len(together) == MOST_TOGETHER:
            break
        if not together:
            chosen, best, together = search.base | change, error, [change]
            continue
        if any(name in settings for settings in together for name in change):
            continue
        both = relative_error(search, chosen | change, references)
        print(f"  {both:.4f}  {together} and {change}", flush=True)
        if both < best - search.gain:
            chosen, best, together = chosen | change, both, [*together, change]
    return {"settings": {**chosen, "n_nets": search.n_nets, **search.in_time}, "relative_error": round(best, 4)}


def run(searches: dict[str, Callable[[], Search]], settings: Path, doc: str | None) -> None:
    """Search task by task, as the command line says, and write what was chosen to `settings`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="only tasks with this word in their name")
    parser.add_argument("--dry-run", action="store_true", help="print, write nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name, make in searches.items():
        if arguments.only not in name:
            continue
        chosen = choose(name, make())
        print(f"  chosen: {chosen}", flush=True)
        if not arguments.dry_run:
            written = json.loads(settings.read_text()) if settings.exists() else {}
            settings.write_text(json.dumps(written | {name: chosen}, indent=2) + "\n")
    print(f"\n{describe()}")
