"""Choose the settings of forecasting.py, and write them to forecast_settings.json.

    SKRNN_DATA=FOLDER python tests/benchmarks/choose_forecast_settings.py [--only WORD] [--dry-run]

No test row is looked at. For each task there are settings to begin with and single changes to them. Each is judged on
parts of the rows before the test part, one net each; then the changes that gained are tried together, the best
first, as long as that gains. What is judged is the error over that of a reference on the same part, averaged over
the parts. Ensembles are not searched: the number of nets is what three minutes on one core allow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from forecast_tasks import BeijingPM25, ETTh1, M4Hourly
from search import Search, run

SETTINGS = Path(__file__).with_name("forecast_settings.json")

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


def main() -> None:
    """Search task by task and write what was chosen."""
    run(searches(), SETTINGS, __doc__)


if __name__ == "__main__":
    main()
