"""Choose the settings of classification.py, and write them to classification_settings.json.

    SKRNN_DATA=FOLDER python tests/benchmarks/choose_classification_settings.py [--only WORD] [--dry-run]

No test row is looked at: each task is judged on parts of its training rows ("choice", or the dev file of the treebank).
For each task there are settings to begin with and single changes to them; the changes that gained are tried together,
the best first, as long as that gains. What is judged is the error (1 - score) over that of the settings to begin with.
Ensembles are not searched: three nets, as many as the table asks for. What the searches begin with, and the short lists
of changes, came from some hundred runs of a bare loop on the same training rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from classification import SETTINGS, TASKS
from classification_tasks import Task
from search import Search, run

N_NETS = 3
GAIN = 0.01  # of the error of the calibration, below which a change is left out
CALIBRATION: dict[str, dict[str, float]] = {  # errors of a bare torch loop, the unit that errors are measured in
    "SMS spam": {"accuracy": 0.010, "F1": 0.038},
    "UCI HAR": {"accuracy": 0.058},
    "JapaneseVowels": {"accuracy": 0.015},
    "BasicMotions": {"accuracy": 0.025},
    "EWT parts of speech": {"accuracy": 0.057},
    "CoNLL-2000 chunks, words alone": {"F1": 0.084},
    "CoNLL-2000 chunks, words and tags": {"F1": 0.066},
}

SENSORS: dict[str, Any] = {
    "hidden_size": 64,
    "bidirectional": True,
    "pooling": "mean_max",
    "layer_norm": True,
    "input_dropout": 0.1,
    "label_smoothing": 0.1,
    "lr": 3e-3,
    "lr_schedule": "onecycle",
    "early_stopping": False,
}
HAR_BASE = SENSORS | {"patch_size": 4, "batch_size": 64, "max_epochs": 12}
SMALL_BASE = SENSORS | {"batch_size": 32, "max_epochs": 100}
TEXT: dict[str, Any] = {
    "tokenembedder__dim": (64, 16),
    "rnnclassifier__hidden_size": 64,
    "rnnclassifier__bidirectional": True,
    "rnnclassifier__pooling": "mean_max",
    "rnnclassifier__input_dropout": 0.3,
    "rnnclassifier__label_smoothing": 0.1,
    "rnnclassifier__class_weight": "balanced",
    "rnnclassifier__lr": 5e-3,
    "rnnclassifier__lr_schedule": "onecycle",
    "rnnclassifier__batch_size": 32,
    "rnnclassifier__max_epochs": 6,
    "rnnclassifier__early_stopping": False,
}
TAGS: dict[str, Any] = {
    "tokenembedder__dim": (64, 16),
    "tokenembedder__subword": (1, 5),
    "sequencetagger__hidden_size": 128,
    "sequencetagger__bidirectional": True,
    "sequencetagger__input_dropout": 0.3,
    "sequencetagger__layer_norm": True,
    "sequencetagger__lr": 5e-3,
    "sequencetagger__lr_schedule": "onecycle",
    "sequencetagger__batch_size": 32,
    "sequencetagger__max_epochs": 6,
    "sequencetagger__early_stopping": False,
}


def changes(prefix: str, *settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The settings with the name of a step of a pipeline in front, where they do not have one."""
    return [
        {
            name if "__" in name and not name.startswith("module") else prefix + name: value
            for name, value in one.items()
        }
        for one in settings
    ]


HAR_CHANGES = changes(
    "",
    {"net_params": {"module__input_shift": 0.2}},
    {"net_params": {"module__input_shift": 0.4}},
    {"input_dropout": 0.3},
    {"patch_size": 2},
    {"n_layers": 2, "dropout": 0.3},
    {"max_epochs": 24},
    {"hidden_size": 128},
)
SMALL_CHANGES = changes(
    "",
    {"net_params": {"module__input_shift": 0.3}},
    {"net_params": {"module__input_shift": 0.6}},
    {"input_dropout": 0.2},
    {"cell": "gru"},
)
TEXT_CHANGES = changes(
    "rnnclassifier__",
    {"tokenembedder__subword": (2, 5)},
    {"class_weight": None},
    {"pooling": "max"},
    {"max_epochs": 10},
)
TAG_CHANGES = changes(
    "sequencetagger__",
    {"tokenembedder__subword": (2, 5)},
    {"tokenembedder__vectors": "svd"},
    {"input_dropout": 0.5},
)
CRF = {"sequencetagger__crf": True}


def search(
    name: str, base: dict[str, Any], singles: list[dict[str, Any]], part: str = "choice", **in_time: Any
) -> Callable[[], Search]:
    """What there is to search for a task; its data are read when the search begins."""

    def calibration(task: Task, part: str) -> dict[str, float]:
        return CALIBRATION[name]

    return lambda: Search(TASKS[name](), base, singles, (part,), calibration, N_NETS, GAIN, in_time)


def main() -> None:
    """Search task by task and write what was chosen."""
    chunks, both = "CoNLL-2000 chunks, words alone", "CoNLL-2000 chunks, words and tags"
    searches = {
        "SMS spam": search("SMS spam", TEXT, TEXT_CHANGES),
        "UCI HAR": search("UCI HAR", HAR_BASE, HAR_CHANGES, max_epochs=10),
        "JapaneseVowels": search("JapaneseVowels", SMALL_BASE, SMALL_CHANGES),
        "BasicMotions": search("BasicMotions", SMALL_BASE, SMALL_CHANGES),
        "EWT parts of speech": search("EWT parts of speech", TAGS, TAG_CHANGES, "dev"),
        chunks: search(chunks, TAGS | CRF, TAG_CHANGES),
        both: search(both, TAGS | CRF | {"tokenembedder__dim": (64, 16, 16)}, TAG_CHANGES),
    }
    run(searches, SETTINGS, __doc__)


if __name__ == "__main__":
    main()
