"""Pictures of the predictions of rows: along time, and against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skrnn._plot_axes import axes_to_draw_on
from skrnn._plot_labels import comparable, drawable, index_of, read_series, rows_after, time_label


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
    truth, name, index = read_series(y_true, "y_true")
    predicted = np.asarray(y_pred, dtype=float)
    levels = _check_quantiles(quantiles, predicted)
    columns = predicted if quantiles is not None else predicted[..., None]  # (n_samples, [horizon,] n_levels)
    if columns.ndim not in (2, 3):
        shape = "(n_samples,) or (n_samples, horizon)" + ("" if quantiles is None else " and an axis of quantiles")
        raise ValueError(f"`y_pred` must have shape {shape}, got {predicted.shape}.")
    index, rows = comparable(index, index_of(y_pred, "y_pred"), len(columns))
    if columns.ndim == 3:
        if not isinstance(at, (int, np.integer)) or not -len(columns) <= at < len(columns):
            raise ValueError(f"`at` must be a row of `y_pred`, from {-len(columns)} to {len(columns) - 1}, got {at!r}.")
        columns = columns[at]  # (horizon, n_levels)
        rows = rows_after(index, rows[at], len(columns), "y_true")

    (ax,) = axes_to_draw_on(ax, 1)
    ax.plot(drawable(index), truth, color="0.4", label="truth")
    x = drawable(rows)
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
    ax.set_xlabel(time_label(index))
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
    (ax,) = axes_to_draw_on(ax, 1)
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
