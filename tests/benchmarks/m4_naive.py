"""The official figures of the M4 competition for the seasonal naive forecast of its hourly series.

    SKRNN_DATA=FOLDER python tests/benchmarks/m4_naive.py

No net is trained: it shows that `skrnn.metrics` measures what the competition's table holds.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from machine import describe

from skrnn.metrics import mase, smape

SEASONALITY = 24
OFFICIAL = {"sMAPE (%)": 13.91, "MASE": 1.193}  # seasonal naive, hourly, in the table of Makridakis et al. (2020)


def load_m4_hourly() -> tuple[list[np.ndarray], np.ndarray]:
    """Load the past of each series, arrays (n_train_i,), and the futures (n_series, 48)."""
    given = os.environ.get("SKRNN_DATA")
    wanted = "a folder with panel/m4_hourly_train.csv and panel/m4_hourly_test.csv"
    if not given:
        sys.exit(f"Set the environment variable SKRNN_DATA to {wanted}.")
    folder = Path(given) / "panel"
    if not folder.is_dir():
        sys.exit(f"SKRNN_DATA must name {wanted}, got {given!r}, which has no folder 'panel'.")
    padded, futures = (pd.read_csv(folder / f"m4_hourly_{part}.csv", index_col=0) for part in ("train", "test"))
    return [past.dropna().to_numpy() for _, past in padded.iterrows()], futures.loc[padded.index].to_numpy()


def seasonal_naive(past: np.ndarray, horizon: int) -> np.ndarray:
    """Repeat the last season of a series, (horizon,)."""
    return np.resize(past[-SEASONALITY:], horizon)


def main() -> None:
    """Print one line a measure."""
    pasts, futures = load_m4_hourly()
    forecasts = np.stack([seasonal_naive(past, futures.shape[1]) for past in pasts])
    measured = {"sMAPE (%)": smape(futures, forecasts), "MASE": mase(futures, forecasts, pasts, SEASONALITY)}
    print(f"Seasonal naive on {len(pasts)} hourly series of M4, {futures.shape[1]} steps ahead.\n")
    print("| measure | skrnn.metrics | official | ratio |")
    print("| --- | --- | --- | --- |")
    for name, official in OFFICIAL.items():
        print(f"| {name} | {measured[name]:.3f} | {official} | {measured[name] / official:.4f} |")
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
