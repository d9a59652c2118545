"""What estimators that predict classes share: weights of classes, and what is measured of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from skrnn._class_targets import commonest_class, named_classes, weights_of_classes, weights_of_targets
from skrnn._hyperparameters import check_net_hyperparameters
from skrnn._labelled import Labelled
from skrnn._parameters import check_float
from skrnn._supervised import SupervisedEstimator
from skrnn._validation import Sequences


class ClassificationEstimator(SupervisedEstimator):
    """Abstract: targets are numbers of classes, in columns.

    Beside what `SupervisedEstimator` asks for, a subclass defines `_likeliest`, and sets `classes_` where it checks
    the targets.
    """

    _scales_targets = False
    _central = None  # no quantiles
    _by_step = False
    _class_table: np.ndarray | None  # as fitted: what each class weighs, (n_columns, n_classes)
    _declared_classes: np.ndarray  # what partial_fit was told, where it began
    _commonest: np.ndarray  # as fitted: the most frequent class of each column, (n_columns,)
    classes_: np.ndarray
    class_weight: Any
    label_smoothing: float

    # -- what a subclass defines -----------------------------------------------------------------------------------

    def _likeliest(self, sequences: Sequences) -> np.ndarray:
        """The number of the likeliest class, (n_samples, [n_steps,] n_columns)."""
        raise NotImplementedError

    # -- parameters ------------------------------------------------------------------------------------------------

    def _check_parameters(self) -> None:
        check_net_hyperparameters(self)
        check_float("label_smoothing", self.label_smoothing, low=0, high=1, open_high=True)
        weight = self.class_weight
        listed = isinstance(weight, (list, tuple)) and all(isinstance(of_label, dict) for of_label in weight)
        balanced = isinstance(weight, str) and weight == "balanced"
        if not (weight is None or isinstance(weight, dict) or listed or balanced):
            raise ValueError(
                "`class_weight` must be None, 'balanced', or a dict such as {'spam': 5.0} (a list of dicts, one for "
                f"each label, for a multilabel y), got {weight!r}."
            )
        for of_classes in weight if listed else [weight] if isinstance(weight, dict) else []:
            for label, value in of_classes.items():
                check_float(f"class_weight[{label!r}]", value, low=0)

    # -- what fit is given -----------------------------------------------------------------------------------------

    def _labelled(self, X: Any, y: Any, sample_weight: Any, *, reset: bool, name: str = "y") -> Labelled:
        data = super()._labelled(X, y, sample_weight, reset=reset, name=name)
        if reset or not isinstance(self.class_weight, str):
            self._class_table = self._weights_of_classes(data)
        if reset:
            self._commonest = commonest_class(data.targets.values)
        data = data.weighted(weights_of_targets(self._class_table, data.targets.values))
        if reset and not hasattr(self, "_declared_classes"):
            self._check_several_classes(data)
        return data

    def _declare_classes(self, classes: Any, *, needed: bool = True) -> None:
        """What partial_fit is told of classes; its first call fixes them."""
        declared = None if classes is None else named_classes(classes)
        if hasattr(self, "nets_"):
            if declared is not None and not np.array_equal(declared, self.classes_):
                raise ValueError(
                    f"classes={declared.tolist()} is not the same as in the first call to partial_fit (or in fit): "
                    f"{self.classes_.tolist()}. Begin anew with `fit`, or with a clone."
                )
        elif declared is not None:
            self._declared_classes = declared
            if len(declared) < 2:
                raise ValueError(f"classes must name at least two classes, got one class only: {declared.tolist()}.")
        elif needed:
            raise ValueError(
                "classes must be passed on the first call to partial_fit: all labels that will ever come, for example "
                "classes=np.unique(y_all)."
            )

    def _weights_of_classes(self, data: Labelled) -> np.ndarray | None:
        """A row for each column of targets, or None where all classes weigh the same."""
        values = data.targets.values
        if isinstance(self.class_weight, (list, tuple)):
            raise ValueError(
                f"class_weight={self.class_weight!r} is a list, which is for a multilabel y. Take one dict of classes."
            )
        per_row = None if data.weight is None else data.weight.reshape(-1, *[1] * (values.ndim - 1))
        weights = weights_of_classes(self.class_weight, self.classes_, values, per_row)
        return None if weights is None else weights[None]

    def _check_several_classes(self, data: Labelled) -> None:
        """Raise ValueError where only one class is left to learn."""
        targets = data.targets.take(data.learning_rows())
        learns = ~np.isnan(targets.values) & (True if targets.weights is None else targets.weights > 0)
        learned = np.unique(targets.values[learns])
        if len(learned) < 2:
            only = self.classes_[learned.astype(int)].tolist()
            raise ValueError(
                f"{type(self).__name__} needs labels of at least two classes that weigh more than zero, but the data "
                f"holds one class only: {only}. Pass rows of another class, too."
            )

    def _n_outputs_of_net(self, train: Labelled) -> int:
        return len(self.classes_)

    # -- what fit leaves behind ------------------------------------------------------------------------------------

    def _skill(self, valid: Labelled) -> float:
        """1 - error rate / error rate of always the most frequent class of the training rows."""
        truth = valid.targets.values
        known = ~np.isnan(truth)
        error = (self._likeliest(valid.sequences) != truth)[known].mean()
        reference = (self._commonest != truth)[known].mean()
        return float(1 - error / reference) if reference > 0 else np.nan
