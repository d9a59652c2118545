"""What a linear SVM sees in SMS spam: TF-IDF of words, of words with digits folded, of pairs of words, of characters.

    SKRNN_DATA=FOLDER python tests/benchmarks/sms_by_svm.py

Judged on the training rows that the settings of the nets are chosen by, in the folds of three seeds.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from classification import SEEDS
from classification_tasks import SMS
from machine import describe
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

WORDS = r"\w+|[^\w\s]"


def fold_digits(text: str) -> str:
    """Write every digit as 0."""
    return re.sub(r"\d", "0", text.lower())


VARIANTS: dict[str, dict[str, Any]] = {
    "words": {"token_pattern": WORDS},
    "words, digits as 0": {"token_pattern": WORDS, "preprocessor": fold_digits},
    "words and pairs of words, digits as 0": {
        "token_pattern": WORDS,
        "preprocessor": fold_digits,
        "ngram_range": (1, 2),
    },
    "2 to 5 characters within words": {"analyzer": "char_wb", "ngram_range": (2, 5)},
}


def main() -> None:
    """Print accuracy and F1 of each variant."""
    task = SMS()
    print("| TF-IDF of | accuracy | F1 |\n| --- | --- | --- |")
    for name, options in VARIANTS.items():
        errors = []
        for seed in SEEDS:
            found = [
                (
                    y_judged,
                    make_pipeline(TfidfVectorizer(sublinear_tf=True, **options), LinearSVC()).fit(X, y).predict(Z),
                )
                for X, y, Z, y_judged in task.splits("choice", seed)
            ]
            errors.append(task.judge(*map(np.concatenate, zip(*found, strict=True))))
        print(f"| {name} | " + " | ".join(f"{1 - np.mean([e[k] for e in errors]):.4f}" for k in errors[0]) + " |")
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
