"""Labels as users pass them -> columns of class numbers that a net learns, and how much each class weighs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from skrnn._row_map import UNKNOWN
from skrnn._targets import Targets


def class_columns(values: np.ndarray, shape: tuple[int, ...] = (), weights: np.ndarray | None = None) -> Targets:
    """Targets of class numbers, (n_samples, [n_steps,] n_columns), which follow no channel of X."""
    nothing = np.full(values.shape[-1], UNKNOWN)
    return Targets(values, shape, nothing, np.zeros(values.shape[-1], dtype=np.int64), weights)


def is_unknown(labels: np.ndarray) -> np.ndarray:
    """Which labels are None, NaN or pandas' NA."""
    return np.asarray(pd.isna(labels))


def as_labels(y: Any, n_samples: int, estimator_name: str) -> np.ndarray:
    """Return y as an array (n_samples,) of labels, or (n_samples, n_labels) of 0 and 1, unknown labels still inside.

    Raises
    ------
    ValueError
        y missing, of the wrong length, not of labels (continuous numbers, several classes in several columns).
    """
    if y is None:
        raise ValueError(f"{estimator_name} requires y to be passed, but the target y is None.")
    if hasattr(y, "toarray"):
        raise ValueError("y is a sparse matrix; pass y.toarray().")
    if isinstance(getattr(y, "dtype", None), pd.api.extensions.ExtensionDtype):
        y = np.asarray(y, dtype=object)  # integers with an unknown one among them would become floats
    y = y.to_numpy() if hasattr(y, "to_numpy") else _listed(y) if isinstance(y, (list, tuple)) else np.asarray(y)
    if y.ndim > 2:
        raise ValueError(f"y must have shape (n_samples,) or (n_samples, n_labels), got {y.shape}.")
    if y.ndim < 2 or y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if len(y) != n_samples:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_samples} rows and y has {len(y)}. "
            "Every row of X needs one label; give None where it is unknown (windows of a series only)."
        )
    return y


def _listed(y: Any) -> np.ndarray:
    try:
        labels = np.asarray(y)
    except ValueError as error:
        raise ValueError(
            f"y must hold one label for each row of X, got rows of unequal lengths such as {y[0]!r}. For several "
            "labels a row pass an indicator of 0 and 1 (MultiLabelBinarizer), for a label at each step take "
            "SequenceTagger."
        ) from error
    if labels.dtype.kind in "US" and labels.ndim == 1 and not all(isinstance(label, str) for label in y):
        labels = np.array(y, dtype=object)  # None and NaN would have become words
    return labels


def check_known_labels(labels: np.ndarray, unknown: np.ndarray, may_be_unknown: bool) -> None:
    """Raise ValueError where labels are no classes, or unknown though every row must have one.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,) or (n_samples, n_labels)
    unknown : ndarray of bool, the same shape
    may_be_unknown : bool
        True for windows of a series, where unlabelled rows still are the history of others.
    """
    if unknown.any() and not may_be_unknown:
        row = int(np.argmax(unknown.reshape(len(unknown), -1).any(axis=1)))
        raise ValueError(
            f"Input y contains NaN: the label of row {row} is {labels.tolist()[row]!r}. Rows without a label are taken "
            "where X is windows of a series, whose history they are. Leave them out of X and y."
        )
    if unknown.all():
        raise ValueError(f"y holds no known label: all {labels.size} are None or NaN. At least two classes are needed.")
    if labels.dtype.kind == "f" and np.isinf(labels).any():
        raise ValueError("Input y contains infinity. Labels are classes: names, integers or bools.")


def find_classes(labels: np.ndarray, unknown: np.ndarray) -> tuple[np.ndarray, bool]:
    """The classes in scikit-learn's order (the numbers of the columns for an indicator), and whether it is one.

    Raises
    ------
    ValueError
        Labels that are no classes.
    """
    if labels.ndim == 2:
        check_multilabel(labels, unknown)
        return np.arange(labels.shape[1]), True
    known = labels[~unknown]
    if known.dtype == object:
        kinds = sorted({"str" if isinstance(label, str) else "number" for label in known})
        if len(kinds) > 1:
            raise ValueError("y mixes names and numbers as labels. Take one of them, for example y.astype(str).")
        known = np.array(known.tolist())
        check_classification_targets(known)
        classes = np.unique(known)
        return classes.astype(object) if classes.dtype.kind == "U" else classes, False
    check_classification_targets(known)
    return np.unique(known), False


def named_classes(classes: Any) -> np.ndarray:
    """The classes that a user names, each once, in scikit-learn's order.

    Raises
    ------
    ValueError
        None or NaN among them, or names and numbers.
    """
    given = np.asarray(classes)
    if given.ndim == 0 or is_unknown(given).any():
        raise ValueError(
            f"classes must be a list of the labels that there will be, got {classes!r}. None and NaN stand for rows "
            "without a label and are no class."
        )
    try:
        return np.unique(given)
    except TypeError as error:
        raise ValueError(f"classes={classes!r} mixes names and numbers. Take one of them.") from error


def is_indicator(y: Any) -> bool:
    """Whether y has several columns, a label each."""
    try:
        shape = np.shape(y)
    except ValueError:  # lists of unequal lengths, which `as_labels` refuses
        return False
    return len(shape) == 2 and shape[1] > 1


def check_multilabel(labels: np.ndarray, unknown: np.ndarray) -> None:
    """Raise ValueError unless every known value of a 2-D y is 0 or 1."""
    try:
        known = labels[~unknown].astype(np.float64)
        indicator = bool(np.isin(known, (0.0, 1.0)).all())
    except (TypeError, ValueError):
        indicator = False
    if not indicator:
        kind = type_of_target(np.where(unknown, 0, labels).astype(str) if labels.dtype == object else labels)
        raise ValueError(
            f"A y of shape {labels.shape} must be a multilabel indicator of 0 and 1, a column for each label, got "
            f"{kind} values. For one label a row pass y of shape ({len(labels)},)."
        )


def encode(labels: np.ndarray, classes: np.ndarray, name: str = "y", hint: str = "") -> np.ndarray:
    """The number of each known label among `classes`, float64.

    Raises
    ------
    ValueError
        A label that is none of them.
    """
    labels, classes = (np.array(x.tolist()) if x.dtype == object else x for x in (labels, classes))
    if (labels.dtype.kind in "US") != (classes.dtype.kind in "US"):
        foreign = np.ones(len(labels), dtype=bool)
        codes = np.zeros(len(labels), dtype=np.int64)
    else:
        codes = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        foreign = classes[codes] != labels
    if foreign.any():
        strange = np.unique(labels[foreign]).tolist()[:5]
        raise ValueError(f"{name} holds {strange}, which is none of the classes {classes.tolist()[:20]}.{hint}")
    return codes.astype(np.float64)


def weights_of_classes(
    class_weight: Any, classes: np.ndarray, values: np.ndarray, sample_weight: np.ndarray | None
) -> np.ndarray | None:
    """What each class weighs in one column of class numbers, (n_classes,); None where all weigh 1.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        "balanced" is ``n / (n_classes * n_of_class)``, rows counted by their weights, so that a row of weight 2 is
        what two rows are.
    classes : ndarray of shape (n_classes,)
    values : ndarray
        Class numbers, NaN where unknown.
    sample_weight : ndarray that broadcasts to `values`, or None

    Raises
    ------
    ValueError
        A dict that names what is no class.
    """
    if class_weight is None:
        return None
    if not isinstance(class_weight, str):
        try:
            return np.asarray(compute_class_weight(class_weight, classes=classes, y=classes), dtype=np.float64)
        except ValueError as error:
            raise ValueError(
                f"class_weight={class_weight!r} names what is no class: the classes of y are {classes.tolist()[:20]}."
            ) from error
    known = ~np.isnan(values)
    weight = np.broadcast_to(1.0 if sample_weight is None else sample_weight, values.shape)[known]
    count = np.bincount(values[known].astype(np.int64), weight, len(classes))
    there = count > 0
    return np.where(there, count.sum() / (there.sum() * np.where(there, count, 1.0)), 1.0)


def weights_of_targets(table: np.ndarray | None, values: np.ndarray) -> np.ndarray | None:
    """The weight of each target in the shape of `values`, from a table (n_columns, n_classes); None where all weigh 1.

    An unknown target, which trains nothing, has weight 0.
    """
    if table is None:
        return None
    known = ~np.isnan(values)
    codes = np.where(known, values, 0).astype(np.int64)
    return np.where(known, table[np.arange(values.shape[-1]), codes], 0.0)


def commonest_class(values: np.ndarray) -> np.ndarray:
    """The number of the most frequent class in each column, (n_columns,)."""
    columns = values.reshape(-1, values.shape[-1]).T
    return np.array(
        [np.bincount(column[~np.isnan(column)].astype(np.int64), minlength=1).argmax() for column in columns]
    )
