"""Measure classifiers and taggers on real data, with the settings that choose_classification_settings.py chose.

    SKRNN_DATA=FOLDER python tests/benchmarks/classification.py [--only WORD] [--defaults]

Prints a row for each task: the mean over three seeds (worst) of an ensemble and of its single nets, and the seconds of
a fit of the ensemble on one core. The settings stand in classification_settings.json. With --defaults no setting is
made.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from classification_tasks import EWT, HAR, SMS, Archive, Chunks, Task
from machine import describe

SEEDS = (0, 1, 2)
SETTINGS = Path(__file__).with_name("classification_settings.json")
TASKS: dict[str, Callable[[], Task]] = {
    "SMS spam": SMS,
    "UCI HAR": HAR,
    "JapaneseVowels": lambda: Archive("JapaneseVowels"),
    "BasicMotions": lambda: Archive("BasicMotions"),
    "EWT parts of speech": EWT,
    "CoNLL-2000 chunks, words alone": lambda: Chunks(pos=False),
    "CoNLL-2000 chunks, words and tags": lambda: Chunks(pos=True),
}
WITH_DEFAULTS = ("SMS spam", "UCI HAR", "JapaneseVowels")


def show(errors: list[dict[str, float]]) -> str:
    """Show the mean (worst) of each score."""
    shown = []
    for name in errors[0]:
        scores = [1 - of_seed[name] for of_seed in errors]
        shown.append(f"{name} {np.mean(scores):.4f} ({min(scores):.4f})")
    return ", ".join(shown)


def main() -> None:
    """Print the table, or the rows of tasks with a word in their name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="only tasks with this word in their name")
    parser.add_argument("--defaults", action="store_true", help="with no setting made")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chosen = json.loads(SETTINGS.read_text()) if SETTINGS.exists() else {}
    print("| task | nets | ensemble | single nets | seconds a fit |\n| --- | --- | --- | --- | --- |", flush=True)
    for name in WITH_DEFAULTS if arguments.defaults else TASKS:
        if arguments.only not in name:
            continue
        task = TASKS[name]()
        settings = {} if arguments.defaults else chosen[name]["settings"]
        results = [task.net(settings, seed, "test") for seed in SEEDS]
        together = show([result.errors for result in results])
        singles = [errors for result in results for errors in result.single]
        n_nets = settings.get("n_nets", 1)
        alone = show(singles) if singles else ""
        seconds = f"{min(r.seconds for r in results):.0f}-{max(r.seconds for r in results):.0f}"
        print(f"| {name} | {n_nets} | {together} | {alone} | {seconds} |", flush=True)
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
