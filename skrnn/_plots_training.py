"""Pictures of a training: its learning curves, and the test for its learning rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from skrnn._parameters import is_number
from skrnn._plot_axes import axes_to_draw_on
from skrnn._plot_labels import check_columns

_PARTS = (("train", "training", "C0"), ("valid", "validation", "C1"))  # prefix of the columns, legend, colour


def plot_history(estimator_or_history: Any, *, ax: Any = None) -> np.ndarray:
    """Draw the learning curves of a fitted estimator: the loss and the error (or accuracy) after each epoch.

    Parameters
    ----------
    estimator_or_history : fitted estimator, Pipeline, search or DataFrame
        An estimator of this package, a Pipeline that ends in one, a search such as ``GridSearchCV`` (its best
        estimator is taken), or the ``history_`` of one: a row for each epoch with the columns ``epoch`` and
        ``train_loss``, and ``train_mae`` (or ``train_accuracy``), ``valid_loss`` and ``valid_mae`` (or
        ``valid_accuracy``) as far as they are there. With a column ``net``, that of an ensemble, each net has a thin
        line of its own.
    ax : array of two Axes, default=None
        Where to draw the loss and the error. None makes a figure with both side by side.

    Returns
    -------
    axes : ndarray of two matplotlib Axes
        The loss, which has no unit since y is standardised, and the mean absolute error, in the units of y; of
        classifiers and taggers the share of right labels.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If there is no ``history_``: the estimator is not fitted, or has none.
    ValueError
        If the history lacks ``epoch`` or ``train_loss``, or `ax` is not two Axes.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrnn.plotting import plot_history
    >>> history = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [0.9, 0.5, 0.4], "valid_loss": [0.9, 0.6, 0.6]})
    >>> history["train_mae"], history["valid_mae"] = [4.1, 3.0, 2.6], [4.2, 3.4, 3.3]
    >>> loss, error = plot_history(history)
    >>> [line.get_label() for line in loss.lines]
    ['training', 'validation']
    >>> error.get_ylabel()
    'mean absolute error (units of y)'
    """
    history = _history_of(estimator_or_history)
    axes = axes_to_draw_on(ax, 2)
    nets = [history] if "net" not in history else [net for _, net in history.groupby("net")]
    of_classes = "train_accuracy" in history
    second = ("accuracy", "accuracy") if of_classes else ("mae", "mean absolute error (units of y)")
    for panel, (measure, label) in zip(axes, (("loss", "loss"), second), strict=True):
        for part, name, colour in _PARTS:
            if f"{part}_{measure}" not in history:
                continue
            width, opacity = (1.5, 1.0) if len(nets) == 1 else (0.8, 0.7)
            for k, net in enumerate(nets):
                panel.plot(
                    net["epoch"].to_numpy(),
                    net[f"{part}_{measure}"].to_numpy(dtype=float),
                    color=colour,
                    linewidth=width,
                    alpha=opacity,
                    label=name if k == 0 else f"_{name}",
                )
        panel.set_xlabel("epoch")
        panel.set_ylabel(label)
        if panel.lines:
            panel.legend()
    return axes


def plot_lr_range(results: pd.DataFrame, *, suggested: float | None = None, ax: Any = None) -> Any:
    """Draw the loss against the learning rate, as a learning rate range test [1]_ found it.

    Parameters
    ----------
    results : DataFrame, or tuple that begins with it
        What ``lr_range_test`` gives: the columns ``lr`` and ``loss``, and ``smoothed_loss`` if there is one. The
        suggested learning rate stands in ``results.attrs["suggested_lr"]``.
    suggested : float, default=None
        The learning rate to mark. None takes the one of `results`, if there is one.
    ax : Axes, default=None
        Where to draw. None makes a figure.

    Returns
    -------
    ax : matplotlib Axes
        The learning rate on a logarithmic axis.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `results` lacks ``lr`` or ``loss``, or `suggested` is not a number greater than 0.

    References
    ----------
    .. [1] L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrnn.plotting import plot_lr_range
    >>> results = pd.DataFrame({"lr": [1e-4, 1e-3, 1e-2, 1e-1], "loss": [1.0, 0.8, 0.4, 3.0]})
    >>> ax = plot_lr_range(results, suggested=0.003)
    >>> ax.get_xscale(), ax.lines[-1].get_label()
    ('log', 'suggested: 0.003')
    """
    if isinstance(results, tuple):
        results = results[0]
    check_columns(results, ("lr", "loss"), "results")
    suggested = results.attrs.get("suggested_lr") if suggested is None else suggested
    if suggested is not None and not (is_number(suggested) and 0 < suggested < math.inf):
        raise ValueError(f"`suggested` must be a number greater than 0, got {suggested!r}.")
    (ax,) = axes_to_draw_on(ax, 1)
    lr = results["lr"].to_numpy(dtype=float)
    smooth = "smoothed_loss" in results and not results["smoothed_loss"].equals(results["loss"])
    ax.plot(lr, results["loss"].to_numpy(dtype=float), color="C0", alpha=0.35 if smooth else 1.0, label="loss")
    if smooth:
        ax.plot(lr, results["smoothed_loss"].to_numpy(dtype=float), color="C0", label="smoothed loss")
    if suggested is not None:
        ax.axvline(suggested, color="C3", linestyle="--", label=f"suggested: {suggested:.2g}")
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss")
    ax.legend()
    return ax


def _history_of(source: Any) -> pd.DataFrame:
    """Return the history of an estimator, alone, at the end of a Pipeline or found by a search."""
    history = source
    if not isinstance(source, pd.DataFrame):
        estimator = getattr(source, "best_estimator_", source)
        estimator = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
        history = getattr(estimator, "history_", None)
        if history is None:
            raise TypeError(
                "The learning curves stand in the `history_` of a fitted estimator of this package, but "
                f"{type(estimator).__name__} has none: call fit first."
            )
    check_columns(history, ("epoch", "train_loss"), "history")
    return history
