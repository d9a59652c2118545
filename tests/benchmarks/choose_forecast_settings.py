"""Choose the settings of forecasting.py, and write them to forecast_settings.json.

    SKRNN_DATA=FOLDER python tests/benchmarks/choose_forecast_settings.py [--only WORD] [--dry-run]

No test row is looked at. For each task there are settings to begin with and single changes to them. Each is judged on
parts of the rows before the test part, one net each; then the changes that gained are tried together, the best
first, as long as that gains. What is judged is the error over that of a reference on the same part, averaged over
the parts. Ensembles are not searched: the number of nets is what three minutes on one core allow.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from forecast_tasks import BeijingPM25, ETTh1, M4Hourly
from machine import describe

SETTINGS = Path(__file__).with_name("forecast_settings.json")
GAIN = 0.001  # of the relative error, below which a change is left out
MOST_TOGETHER = 3

ETT_BASE: dict[str, Any] = {
    "window": 336,
    "cell": "gru",
    "hidden_size": 64,
    "channels": "shared",
    "decoder": "direct",
    "patch_size": 24,
    "linear_skip": True,
    "window_scaling": "last_standard",
    "loss": "absolute_error",
    "optimizer": "adamw",
    "lr": 4e-3,
    "lr_schedule": "warmup_cosine",
    "batch_size": 64,
    "max_steps": 600,
    "validate_every": 75,
}
ETT_CHANGES: list[dict[str, Any]] = [
    {"decoder": "parallel"},
    {"hidden_size": 128},
    {"window": 504},
    {"patch_size": 12},
    {"window_scaling": "last"},
]
FORCED: dict[str, Any] = {
    "decoder": "autoregressive",
    "teacher_forcing": "linear",
    "net_params": {"module__decoder_patch_size": 12},
}
FORCED_CHANGES: list[dict[str, Any]] = [
    {"teacher_forcing": 0.5},
    {"teacher_forcing": 1.0},
    {"attention": "dot"},
    {"net_params": {"module__decoder_patch_size": 6}},
    {"hidden_size": 128},
    {"window_scaling": "last"},
]
M4_BASE: dict[str, Any] = {
    "window": 336,
    "cell": "gru",
    "hidden_size": 64,
    "decoder": "autoregressive",
    "teacher_forcing": 0.0,
    "patch_size": 24,
    "linear_skip": True,
    "window_scaling": "standard",
    "target_transform": "log1p",
    "loss": "smape_mase",
    "net_params": {"criterion__seasonality": 24},
    "optimizer": "adamw",
    "lr": 8e-3,
    "lr_schedule": "warmup_cosine",
    "batch_size": 128,
    "max_steps": 1200,
    "early_stopping": False,
}
M4_CHANGES: list[dict[str, Any]] = [
    {"decoder": "direct", "teacher_forcing": 0.5},
    {"decoder": "parallel", "teacher_forcing": 0.5},
    {"teacher_forcing": "linear"},
    {"hidden_size": 128},
    {"max_steps": 2400},
    {"window_scaling": "last_standard"},
    {"lr": 4e-3},
    {"net_params": {"criterion__seasonality": 24, "criterion__smape_weight": 1.0}},
]


@dataclass(frozen=True)
class Search:
    """A task with where its search begins, where it may go, and how it is judged."""

    task: Any
    base: dict[str, Any]
    changes: list[dict[str, Any]]
    parts: tuple[str, ...]
    reference: Callable[[Any, str], dict[str, float]]
    n_nets: int


def searches() -> dict[str, Callable[[], Search]]:
    """What there is to search, by name; data are read when a search begins."""

    def ridge(task: Any, part: str) -> dict[str, float]:
        return {name: task.ridge(part).errors[name] for name in ("MSE",)}

    def naive(task: Any, part: str) -> dict[str, float]:
        return task.seasonal_naive(part).errors

    def both(task: Any, part: str) -> dict[str, float]:
        errors = task.ridge(part).errors
        return {name: errors[name] for name in ("MAE", "RMSE")}

    found: dict[str, Callable[[], Search]] = {}
    for horizon in (24, 96):
        found[f"ETTh1 {horizon} h, any decoder"] = lambda h=horizon: Search(
            ETTh1(h), ETT_BASE, ETT_CHANGES, ("validation", "winter"), ridge, 2 if h == 24 else 10
        )
        found[f"ETTh1 {horizon} h, teacher forcing"] = lambda h=horizon: Search(
            ETTh1(h), ETT_BASE | FORCED, FORCED_CHANGES, ("validation", "winter"), ridge, 3
        )
    found["M4 hourly"] = lambda: Search(M4Hourly(), M4_BASE, M4_CHANGES, ("origins",), naive, 3)
    found["Beijing PM2.5"] = lambda: Search(
        BeijingPM25(), BeijingPM25.base, BeijingPM25.changes, ("validation",), both, 3
    )
    return found


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
    for change in search.changes:
        error = relative_error(search, search.base | change, references)
        print(f"  {error:.4f}  {change}", flush=True)
        singles.append((error, change))
    chosen, start = search.base, best
    together: list[dict[str, Any]] = []
    for error, change in sorted(singles, key=lambda single: single[0]):
        if error > start - GAIN or len(together) == MOST_TOGETHER:
            break
        if not together:
            chosen, best, together = search.base | change, error, [change]
            continue
        if any(name in settings for settings in together for name in change):
            continue
        both = relative_error(search, chosen | change, references)
        print(f"  {both:.4f}  {together} and {change}", flush=True)
        if both < best - GAIN:
            chosen, best, together = chosen | change, both, [*together, change]
    return {"settings": {**chosen, "n_nets": search.n_nets}, "relative_error": round(best, 4)}


def main() -> None:
    """Search task by task and write what was chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="only tasks with this word in their name")
    parser.add_argument("--dry-run", action="store_true", help="print, write nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name, make in searches().items():
        if arguments.only not in name:
            continue
        chosen = choose(name, make())
        print(f"  chosen: {chosen}", flush=True)
        if not arguments.dry_run:
            written = json.loads(SETTINGS.read_text()) if SETTINGS.exists() else {}
            SETTINGS.write_text(json.dumps(written | {name: chosen}, indent=2) + "\n")
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
