"""Compare the defaults of RNNClassifier with those that RNNRegressor has, on training rows.

    SKRNN_DATA=FOLDER python tests/benchmarks/classifier_defaults.py

Each task is judged on the parts of its training rows that settings are chosen by: other people (UCI HAR), folds of the
training rows (the others). Small sets are judged with three seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from classification import SEEDS, TASKS
from machine import describe

VARIANTS: dict[str, dict[str, Any]] = {
    "as in RNNRegressor": {"pooling": "last", "layer_norm": False},
    "pooling='mean_max'": {"pooling": "mean_max", "layer_norm": False},
    "pooling='mean_max', layer_norm=True": {"pooling": "mean_max", "layer_norm": True},
}
N_SEEDS = {"JapaneseVowels": len(SEEDS)}


def main() -> None:
    """Print the accuracy of each variant on each task."""
    torch.set_num_threads(1)
    print("| task | " + " | ".join(VARIANTS) + " |\n| --- |" + " --- |" * len(VARIANTS), flush=True)
    for name in ("SMS spam", "UCI HAR", "JapaneseVowels"):
        task, reached = TASKS[name](), []
        prefix = "rnnclassifier__" if name == "SMS spam" else ""
        for variant in VARIANTS.values():
            settings = {prefix + parameter: value for parameter, value in variant.items()}
            errors = [task.net(settings, seed, "choice").errors["accuracy"] for seed in SEEDS[: N_SEEDS.get(name, 1)]]
            reached.append(f"{1 - np.mean(errors):.4f}")
        print(f"| {name} | " + " | ".join(reached) + " |", flush=True)
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
