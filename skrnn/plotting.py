"""Pictures of training and of forecasts, drawn with matplotlib, which is imported when one is drawn.

Every function draws on the Axes given as `ax`, or makes a figure, and returns the Axes, so that titles, limits and
the like are set as on any other. Nothing is shown or saved: that is ``plt.show()`` or ``ax.figure.savefig(...)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skrnn._calendar import kind_of
from skrnn._parameters import is_number

__all__ = ["plot_forecast", "plot_history", "plot_lr_range", "plot_predictions"]

_PARTS = (("train", "training", "C0"), ("valid", "validation", "C1"))  # prefix of the columns, legend, colour


def plot_history(estimator_or_history: Any, *, ax: Any = None) -> np.ndarray:
    """Draw the learning curves of a fitted estimator: the loss and the mean absolute error after each epoch.

    Parameters
    ----------
    estimator_or_history : fitted estimator, Pipeline, search or DataFrame
        An estimator of this package, a Pipeline that ends in one, a search such as ``GridSearchCV`` (its best
        estimator is taken), or the ``history_`` of one: a row for each epoch with the columns ``epoch`` and
        ``train_loss``, and ``train_mae``, ``valid_loss`` and ``valid_mae`` as far as they are there. With a
        column ``net``, that of an ensemble, each net has a thin line of its own.
    ax : array of two Axes, default=None
        Where to draw the loss and the error. None makes a figure with both side by side.

    Returns
    -------
    axes : ndarray of two matplotlib Axes
        The loss, which has no unit since y is standardised, and the mean absolute error, in the units of y.

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
    axes = _axes(ax, 2)
    nets = [history] if "net" not in history else [net for _, net in history.groupby("net")]
    for panel, (measure, label) in zip(
        axes, (("loss", "loss"), ("mae", "mean absolute error (units of y)")), strict=True
    ):
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
    _check_columns(results, ("lr", "loss"), "results")
    suggested = results.attrs.get("suggested_lr") if suggested is None else suggested
    if suggested is not None and not (is_number(suggested) and 0 < suggested < math.inf):
        raise ValueError(f"`suggested` must be a number greater than 0, got {suggested!r}.")
    (ax,) = _axes(ax, 1)
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


def plot_forecast(
    y_true: Any,
    y_pred: Any,
    *,
    quantiles: Sequence[float] | None = None,
    at: int = -1,
    ax: Any = None,
) -> Any:
    """Draw predictions and the truth along time.

    Parameters
    ----------
    y_true : array-like of shape (n_times,), Series, or DataFrame of one column
        The truth. Where it is NaN the line has a gap.
    y_pred : array-like of shape (n_samples,), (n_samples, horizon) or with an axis of quantiles after these
        The predictions, NaN where there is none. One value a row is drawn at its row. With an axis of the
        horizon, as `future_targets` and estimators with ``horizon`` have it, the forecast made at row `at` is
        drawn after that row: step k stands k rows later, beyond the last row of `y_true` by the frequency of
        its index, else by its median step. One column is a horizon of 1: take ``y_pred[:, 0]`` where it is none.

        A Series or DataFrame has its own index, so its rows may be some of those of `y_true`. An array has the
        rows of `y_true`, all of them.
    quantiles : sequence of float, default=None
        The levels of the last axis of `y_pred`, rising, between 0 and 1: the space between the first and the
        last, the second and the last but one, and so on, is shaded. The median (0.5) is the line.
    at : int, default=-1
        The row of `y_pred` (counted from the end where negative) whose forecast is drawn, where there is a
        horizon.
    ax : Axes, default=None
        Where to draw. None makes a figure.

    Returns
    -------
    ax : matplotlib Axes
        Time, from the index (durations in seconds) or else the number of the row, against the value.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If shapes do not fit, if `at` is no row, if `quantiles` do not rise between 0 and 1, or if the index has
        several levels (choose one series of a panel first).

    See Also
    --------
    plot_predictions : Predictions against the truth, without time.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skrnn.plotting import plot_forecast
    >>> y = pd.Series([1.0, 2.0, 4.0, 8.0], index=pd.date_range("2024", periods=4), name="load")
    >>> ax = plot_forecast(y, [1.0, 2.0, 3.0, 7.0])
    >>> [line.get_label() for line in ax.lines], ax.get_ylabel()
    (['truth', 'prediction'], 'load')

    The forecast of the three rows to come, made at the last row:

    >>> forecasts = np.array([[2.0, 3, 4], [4, 6, 8], [8, 12, 16], [16, 24, 32]])  # (n_samples, horizon)
    >>> ax = plot_forecast(y, forecasts)
    >>> ax.lines[1].get_xdata().astype("datetime64[D]")
    array(['2024-01-05', '2024-01-06', '2024-01-07'], dtype='datetime64[D]')

    Quantiles:

    >>> low_mid_high = np.column_stack([y - 1, y, y + 2])
    >>> ax = plot_forecast(y, low_mid_high, quantiles=[0.1, 0.5, 0.9])
    >>> ax.collections[0].get_label()
    '10 % to 90 %'
    """
    truth, name, index = _read_truth(y_true)
    predicted = np.asarray(y_pred, dtype=float)
    levels = _check_quantiles(quantiles, predicted)
    columns = predicted if quantiles is not None else predicted[..., None]  # (n_samples, [horizon,] n_levels)
    if columns.ndim not in (2, 3):
        shape = "(n_samples,) or (n_samples, horizon)" + ("" if quantiles is None else " and an axis of quantiles")
        raise ValueError(f"`y_pred` must have shape {shape}, got {predicted.shape}.")
    index, rows = _comparable(index, _index_of(y_pred, "y_pred"), len(columns))
    if columns.ndim == 3:
        if not isinstance(at, (int, np.integer)) or not -len(columns) <= at < len(columns):
            raise ValueError(f"`at` must be a row of `y_pred`, from {-len(columns)} to {len(columns) - 1}, got {at!r}.")
        columns = columns[at]  # (horizon, n_levels)
        rows = _rows_after(index, rows[at], len(columns))

    (ax,) = _axes(ax, 1)
    ax.plot(_drawable(index), truth, color="0.4", label="truth")
    x = _drawable(rows)
    n_bands = len(levels) // 2
    for k in range(n_bands):
        ax.fill_between(
            x,
            columns[:, k],
            columns[:, -1 - k],
            color="C0",
            alpha=0.2 + 0.3 * k / n_bands,
            linewidth=0,
            label=f"{100 * levels[k]:g} % to {100 * levels[-1 - k]:g} %",
        )
    if 0.5 in levels:
        marker = "." if len(x) == 1 else None
        ax.plot(x, columns[:, levels.index(0.5)], color="C0", marker=marker, label="prediction")
    ax.set_xlabel(_time_label(index))
    ax.set_ylabel("value" if name is None else str(name))
    ax.legend()
    return ax


def plot_predictions(y_true: Any, y_pred: Any, *, ax: Any = None) -> Any:
    """Draw predictions against the truth: a point for each pair, on the dashed line where they are equal.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_columns)
        The targets. Pairs with a NaN are left out.
    y_pred : array-like of the same shape
        The predictions.
    ax : Axes, default=None
        Where to draw. None makes a figure.

    Returns
    -------
    ax : matplotlib Axes
        The truth across, the prediction up, on equal scales. Each column has a colour.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the shapes are not equal or have more than two axes, or if no pair is known.

    See Also
    --------
    plot_forecast : Predictions and the truth along time.

    Examples
    --------
    >>> from skrnn.plotting import plot_predictions
    >>> ax = plot_predictions([1.0, 2.0, float("nan")], [1.5, 1.5, 4.0])
    >>> ax.collections[0].get_offsets().tolist()
    [[1.0, 1.5], [2.0, 1.5]]
    """
    truth, predicted = np.asarray(y_true, dtype=float), np.asarray(y_pred, dtype=float)
    if truth.shape != predicted.shape or truth.ndim not in (1, 2):
        raise ValueError(
            "`y_true` and `y_pred` must have the same shape, (n_samples,) or (n_samples, n_columns), got "
            f"{truth.shape} and {predicted.shape}."
        )
    names = list(y_true.columns) if hasattr(y_true, "columns") else range(truth[:1].size)
    truth, predicted = truth.reshape(len(truth), -1), predicted.reshape(len(truth), -1)
    known = ~np.isnan(truth) & ~np.isnan(predicted)  # (n_samples, n_columns)
    if not known.any():
        raise ValueError(f"No pair of `y_true` and `y_pred` is known: each of the {known.size} has a NaN.")
    (ax,) = _axes(ax, 1)
    for column, name in enumerate(names):
        pairs = known[:, column]
        ax.scatter(truth[pairs, column], predicted[pairs, column], s=12, alpha=0.6, color=f"C{column}", label=str(name))
    both = np.concatenate([truth[known], predicted[known]])
    ax.axline((both.min(), both.min()), slope=1, color="0.4", linestyle="--", linewidth=1)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel("truth")
    ax.set_ylabel("prediction")
    if truth.shape[1] > 1:
        ax.legend()
    return ax


def _axes(ax: Any, n_axes: int) -> np.ndarray:
    """Return (n_axes,) the Axes given, or those of a new figure."""
    if ax is None:
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise ImportError(
                f"Plots are drawn with matplotlib, which could not be imported ({error}). "
                'Install it with: pip install "skrnn[examples]"'
            ) from error
        _, ax = pyplot.subplots(1, n_axes, figsize=(8 + 2 * (n_axes - 1), 4), layout="constrained")
    axes = np.ravel(np.array(ax, dtype=object))
    if len(axes) != n_axes:
        raise ValueError(f"`ax` must be {n_axes} Axes, got {len(axes)}: make them with plt.subplots(1, {n_axes}).")
    return axes


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
    _check_columns(history, ("epoch", "train_loss"), "history")
    return history


def _check_columns(table: Any, names: Sequence[str], role: str) -> None:
    columns = list(getattr(table, "columns", []))
    lost = [name for name in names if name not in columns]
    if lost:
        found = f"the columns {columns}" if hasattr(table, "columns") else type(table).__name__
        raise ValueError(f"`{role}` must be a DataFrame with the columns {list(names)}, got {found}.")


def _check_quantiles(quantiles: Any, predicted: np.ndarray) -> list[float]:
    """Return the levels as a list; one prediction without levels is the median."""
    if quantiles is None:
        return [0.5]
    levels = np.asarray(quantiles, dtype=float)
    if levels.ndim != 1 or not ((levels > 0) & (levels < 1)).all() or not (np.diff(levels) > 0).all():
        raise ValueError(f"`quantiles` must rise between 0 and 1, got {quantiles!r}.")
    if predicted.ndim < 2 or predicted.shape[-1] != len(levels):
        raise ValueError(
            f"The last axis of `y_pred` must have the {len(levels)} `quantiles`, got shape {predicted.shape}."
        )
    return levels.tolist()


def _read_truth(y_true: Any) -> tuple[np.ndarray, Any, pd.Index]:
    """Return the values (n_times,) of the truth, its name and its index, which counts rows where there is none."""
    index = _index_of(y_true, "y_true")
    truth = np.asarray(y_true, dtype=float)
    name = y_true.columns[0] if hasattr(y_true, "columns") and truth.shape[1:] == (1,) else None
    name = getattr(y_true, "name", name)
    if truth.ndim == 2 and truth.shape[1] == 1:
        truth = truth[:, 0]
    if truth.ndim != 1 or len(truth) == 0:
        raise ValueError(f"`y_true` must have shape (n_times,) with at least one row, got {truth.shape}.")
    return truth, name, pd.RangeIndex(len(truth)) if index is None else index


def _index_of(values: Any, role: str) -> pd.Index | None:
    if not hasattr(values, "iloc"):
        return None
    if isinstance(values.index, pd.MultiIndex):
        raise ValueError(
            f"`{role}` must be one series, got an index with the levels {list(values.index.names)}: choose one, as in "
            "y.loc[name]."
        )
    return values.index


def _comparable(index: pd.Index, rows: pd.Index | None, n_rows: int) -> tuple[pd.Index, pd.Index]:
    """Return the labels of the truth and of the predictions, or the numbers of the rows where labels are names."""
    if rows is None:
        if n_rows != len(index):
            raise ValueError(
                f"`y_pred` must have the {len(index)} rows of `y_true` or an index that says which it has, got "
                f"{n_rows} rows: give it one, as in pd.Series(y_pred, index=...)."
            )
        rows = index
    if kind_of(rows) != kind_of(index):
        raise ValueError(
            f"The index of `y_pred` must be {kind_of(index) or 'names'}, as that of `y_true`, got "
            f"{kind_of(rows) or 'names'}: give both the same index."
        )
    if kind_of(index) is not None:
        return index, rows
    places = np.arange(len(index)) if rows.equals(index) else index.get_indexer(rows)
    if (places < 0).any():
        raise ValueError(f"The rows of `y_pred` must be rows of `y_true`, got {rows[places < 0][0]!r}.")
    return pd.RangeIndex(len(index)), pd.Index(places)


def _rows_after(index: pd.Index, label: Any, horizon: int) -> pd.Index:
    """Return the labels of the `horizon` rows after the one with this label, beyond the end of `index` by its step."""
    known = index[index > label][:horizon]
    if len(known) == horizon:
        return known
    step = getattr(index, "freq", None)
    if step is None:
        if len(index) < 2:
            raise ValueError(f"`y_true` has {len(index)} row, from which the time of the forecast does not follow.")
        step = index.to_series().diff().median()
    beyond = [max(index[-1], label) + k * step for k in range(1, horizon - len(known) + 1)]
    return known.append(pd.Index(beyond))


def _drawable(index: pd.Index) -> np.ndarray:
    """Return what matplotlib can draw: dates, numbers, or durations in seconds."""
    if isinstance(index, pd.PeriodIndex):
        return index.to_timestamp().to_numpy()
    if isinstance(index, pd.DatetimeIndex):
        return index.tz_localize(None).to_numpy()
    if isinstance(index, pd.TimedeltaIndex):
        return index.total_seconds().to_numpy()
    return index.to_numpy()


def _time_label(index: pd.Index) -> str:
    label = index.name or ("row" if kind_of(index) == "numbers" else "time")
    return f"{label} (s)" if isinstance(index, pd.TimedeltaIndex) else str(label)
