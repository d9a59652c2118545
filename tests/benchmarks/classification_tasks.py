"""The tasks that classification and tagging are measured on: how data are read, split and judged.

Each task knows the parts of its rows by name: "test" for the figures, others for the choice of settings. Real data come
from the folder that the environment variable SKRNN_DATA names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from forecast_tasks import data_file, timed_fit
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrnn import RNNClassifier, SequenceTagger, TokenEmbedder, words_with_shapes
from skrnn.datasets import read_conll, read_ts
from skrnn.metrics import span_f1, token_accuracy


@dataclass
class Result:
    """What a model reached: errors (1 - score) by name, those of its single nets, and seconds of a fit."""

    errors: dict[str, float]
    single: list[dict[str, float]] = field(default_factory=list)
    seconds: float = float("nan")


class Task:
    """Abstract: fits a model on parts of the rows and judges it."""

    name: str

    def model(self, settings: dict[str, Any]) -> Any:
        """What `settings` are set on."""
        raise NotImplementedError

    def splits(self, part: str, seed: int) -> Iterator[tuple[Any, Any, Any, Any]]:
        """(X, y) to train on and (X, y) to judge, for each split of the part."""
        raise NotImplementedError

    def judge(self, truth: Any, prediction: Any) -> dict[str, float]:
        """Errors by name."""
        raise NotImplementedError

    def net(self, settings: dict[str, Any], seed: int, part: str) -> Result:
        """Fit on each split of a part and judge all its predictions together; the seconds are of the longest fit."""
        settings = dict(settings)
        n_nets = settings.pop("n_nets", 1)
        truths, predictions, seconds = [], [], 0.0
        singles: list[list[Any]] = [[] for _ in range(n_nets)]
        for X, y, X_judged, y_judged in self.splits(part, seed):
            model = self.model(settings).set_params(**settings)
            last = model[-1] if isinstance(model, Pipeline) else model
            last.set_params(random_state=seed, n_nets=n_nets)
            if isinstance(model, Pipeline):
                model.named_steps["tokenembedder"].set_params(random_state=seed)
            seconds = max(seconds, timed_fit(model, X, y))
            truths.append(y_judged)
            predictions.append(model.predict(X_judged))
            nets = last.nets_
            for number in range(n_nets if n_nets > 1 else 0):
                last.nets_ = nets[number : number + 1]
                singles[number].append(model.predict(X_judged))
            last.nets_ = nets
        truth = np.concatenate(truths)
        judged = [self.judge(truth, np.concatenate(single)) for single in singles if single]
        return Result(self.judge(truth, np.concatenate(predictions)), judged, seconds)


class Classification(Task):
    """Rows with one label each."""

    def judge(self, truth: Any, prediction: Any) -> dict[str, float]:
        """Share of wrong labels."""
        return {"accuracy": 1 - accuracy_score(truth, prediction)}


class SMS(Classification):
    """SMS messages, ham or spam: five stratified folds, judged together.

    "test" is the five folds. "choice" is four folds of the training rows of the first of them (with seed 0).
    """

    name = "SMS spam"

    def __init__(self) -> None:
        rows = [line.rstrip("\n").split("\t", 1) for line in data_file("text/SMSSpamCollection").open(encoding="utf-8")]
        self.y, self.X = (np.array(column, dtype=object) for column in zip(*rows, strict=True))

    def model(self, settings: dict[str, Any]) -> Pipeline:
        """Texts to labels; words and their shapes where there are vectors for two fields."""
        two_fields = "tokenembedder__dim" in settings
        embed = [FunctionTransformer(words_with_shapes)] if two_fields else []
        return make_pipeline(*embed, TokenEmbedder(), RNNClassifier())

    def folds(self, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Row numbers to train on and to judge."""
        return list(StratifiedKFold(5, shuffle=True, random_state=seed).split(self.X, self.y))

    def splits(self, part: str, seed: int) -> Iterator[tuple[Any, Any, Any, Any]]:
        """See the class."""
        pairs = self.folds(seed)
        if part == "choice":
            rows = self.folds(0)[0][0]
            inner = StratifiedKFold(4, shuffle=True, random_state=seed).split(rows, self.y[rows])
            pairs = [(rows[train], rows[judged]) for train, judged in inner]
        for train, judged in pairs:
            yield self.X[train], self.y[train], self.X[judged], self.y[judged]

    def judge(self, truth: Any, prediction: Any) -> dict[str, float]:
        """Share of wrong labels, and 1 - F1 of spam."""
        return {**super().judge(truth, prediction), "F1": 1 - f1_score(truth, prediction, pos_label="spam")}


class HAR(Classification):
    """Human activities from the sensors of a phone: windows of 128 steps, 9 channels, 6 classes, other people to test.

    The file has the second half of each window. The window before (same person and activity) has the first half; where
    there is none, the window has its 64 known steps. "choice" is four groups of the training people.
    """

    name = "UCI HAR"

    def __init__(self) -> None:
        self.parts = {part: self._read(part) for part in ("train", "test")}

    @staticmethod
    def _read(part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        halves = np.load(data_file(f"classification/ucihar/X_{part}.npy"))  # (n_windows, 64, 9)
        meta = pd.read_csv(data_file(f"classification/ucihar/meta_{part}.csv"))
        label, subject, position = (meta[column].to_numpy() for column in ("label", "subject", "position"))
        X = np.empty(len(halves), dtype=object)
        for i, half in enumerate(halves):
            goes_on = i > 0 and position[i] > 0 and (label[i], subject[i]) == (label[i - 1], subject[i - 1])
            X[i] = np.concatenate([halves[i - 1], half]) if goes_on else half
        return X, label, subject

    def model(self, settings: dict[str, Any]) -> RNNClassifier:
        """Sequences to labels."""
        return RNNClassifier()

    def splits(self, part: str, seed: int) -> Iterator[tuple[Any, Any, Any, Any]]:
        """See the class."""
        X, y, subject = self.parts["train"]
        if part == "test":
            yield X, y, *self.parts["test"][:2]
            return
        for train, judged in GroupKFold(4).split(X, y, subject):
            yield X[train], y[train], X[judged], y[judged]


class Archive(Classification):
    """A data set of the UEA archive with its official split; "choice" is five folds of the training rows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.parts = {}
        for part in ("TRAIN", "TEST"):
            X, y = read_ts(data_file(f"classification/{name}_{part}.ts"))
            self.parts[part] = _rows(X), np.asarray(y)

    def model(self, settings: dict[str, Any]) -> RNNClassifier:
        """Sequences to labels."""
        return RNNClassifier()

    def splits(self, part: str, seed: int) -> Iterator[tuple[Any, Any, Any, Any]]:
        """See the class."""
        X, y = self.parts["TRAIN"]
        if part == "test":
            yield X, y, *self.parts["TEST"]
            return
        for train, judged in StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y):
            yield X[train], y[train], X[judged], y[judged]


class Tagging(Task):
    """Sentences with a tag for each token; tokens may be words, or words with their parts of speech."""

    def __init__(self, parts: dict[str, tuple[Any, Any]]) -> None:
        self.parts = {part: (_rows(X), _rows(y)) for part, (X, y) in parts.items()}

    def model(self, settings: dict[str, Any]) -> Pipeline:
        """Lists of tokens to lists of tags."""
        return make_pipeline(FunctionTransformer(words_with_shapes), TokenEmbedder(), SequenceTagger())

    def splits(self, part: str, seed: int) -> Iterator[tuple[Any, Any, Any, Any]]:
        """ "test" and, for the choice, "dev" (a file of its own) or "choice" (a tenth of the training sentences)."""
        X, y = self.parts["train"]
        if part in self.parts:
            yield X, y, *self.parts[part]
            return
        train, judged = next(iter(KFold(10, shuffle=True, random_state=0).split(X)))
        yield X[train], y[train], X[judged], y[judged]

    def judge(self, truth: Any, prediction: Any) -> dict[str, float]:
        """Share of wrong tokens."""
        return {"accuracy": 1 - token_accuracy(truth, prediction)}


class EWT(Tagging):
    """UD English EWT: universal parts of speech, no outside vectors."""

    name = "EWT parts of speech"

    def __init__(self) -> None:
        read = partial(read_conll, columns=("form", "upos"))
        super().__init__(
            {part: read(data_file(f"tagging/en_ewt-ud-{part}.conllu")) for part in ("train", "dev", "test")}
        )


class Chunks(Tagging):
    """CoNLL-2000 chunking, span F1; from words only, or from words and parts of speech."""

    def __init__(self, pos: bool) -> None:
        self.name = "CoNLL-2000 chunks, words and parts of speech" if pos else "CoNLL-2000 chunks, words"
        parts = {}
        for part in ("train", "test"):
            words, tags, chunks = read_conll(data_file(f"tagging/conll2000/{part}.txt"), columns=(0, 1, 2))
            both = [list(zip(*sentence, strict=True)) for sentence in zip(words, tags, strict=True)]
            parts[part] = (both if pos else words, chunks)
        super().__init__(parts)

    def judge(self, truth: Any, prediction: Any) -> dict[str, float]:
        """1 - F1 of spans."""
        return {"F1": 1 - span_f1(truth, prediction)}


def _rows(sequences: Any) -> np.ndarray:
    """An object array of sequences, also where all have one length."""
    rows = np.empty(len(sequences), dtype=object)
    for i, sequence in enumerate(sequences):
        rows[i] = sequence
    return rows
