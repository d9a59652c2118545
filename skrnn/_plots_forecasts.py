"""Pictures of many forecasts: the error by step of the horizon, and a backtest over what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from skrnn._known_targets import KnownTargets
from skrnn._parameters import check_option
from skrnn._plot_axes import axes_to_draw_on
from skrnn._plot_labels import check_columns, check_same_kind, drawable, numbered, places, read_series, time_label

_ERRORS: dict[str, tuple[str, Callable[[KnownTargets], np.ndarray]]] = {  # metric: label, error of each column
    "mae": ("mean absolute error", lambda targets: targets.mean(np.abs(targets.error))),
    "mse": ("mean squared error", lambda targets: targets.mean(targets.error**2)),
    "rmse": ("root mean squared error", lambda targets: np.sqrt(targets.mean(targets.error**2))),
}


def plot_horizon_error(y_true: Any, forecasts: Any, *, metric: str = "mae", ax: Any = None) -> Any:
    """Draw how the error of forecasts grows with the step of the horizon.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, horizon) or (n_samples, horizon, n_outputs)
        The targets, NaN where unknown, as `future_targets` makes them.
    forecasts : array-like of the same shape, or dict of name to such
        The forecasts, one line for each name. They may be NaN only where the target is.
    metric : {"mae", "mse", "rmse"}, default="mae"
        The error: mean absolute, mean squared, or the root of that, over the known targets of each step. With several
        outputs it is the mean of their errors.
    ax : Axes, default=None
        Where to draw. None makes a figure.

    Returns
    -------
    ax : matplotlib Axes
        The step, from 1, against the error, in the units of the target (squared for "mse"). A step with nothing
        known is a gap.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If nothing is known, shapes differ or have no axis of the horizon, or the forecast of a known target is not
        finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn.plotting import plot_horizon_error
    >>> y_true = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, np.nan]])  # (n_samples, horizon)
    >>> ax = plot_horizon_error(y_true, {"zero": np.zeros((3, 2)), "two": np.full((3, 2), 2.0)})
    >>> [(line.get_label(), line.get_ydata().round(2).tolist()) for line in ax.lines]
    [('zero', [2.0, 2.5]), ('two', [0.67, 0.5])]
    """
    check_option("metric", metric, list(_ERRORS))
    label, error_of = _ERRORS[metric]
    named = isinstance(forecasts, Mapping)
    if named and not forecasts:
        raise ValueError("`forecasts` must hold at least one array of forecasts, got an empty dict.")
    errors = {}
    for name, values in forecasts.items() if named else [("_forecasts", forecasts)]:
        targets = KnownTargets.read(y_true, values, None, name=f"forecasts[{name!r}]" if named else "forecasts")
        if np.ndim(y_true) < 2:
            raise ValueError(
                "`y_true` must have shape (n_samples, horizon) or (n_samples, horizon, n_outputs), got "
                f"{np.shape(y_true)}. skrnn.future_targets(y, horizon) makes it from a series."
            )
        errors[name] = _mean_of_outputs(error_of(targets).reshape(targets.columns))
    (ax,) = axes_to_draw_on(ax, 1)
    for name, error in errors.items():
        ax.plot(np.arange(1, len(error) + 1), error, marker=".", label=str(name))
    ax.locator_params(axis="x", integer=True)
    ax.set_xlabel("step of the horizon")
    ax.set_ylabel(label)
    if named:
        ax.legend()
    return ax


def plot_backtest(forecasts: Any, truth: Any, *, ax: Any = None) -> Any:
    """Draw the forecasts that were made from several origins over what came.

    Parameters
    ----------
    forecasts : Backtest or DataFrame
        The result of `SeriesForecaster.backtest`, or a row for each origin and step, of one series and one target, with
        the columns ``origin`` (the label of the last row that the forecast knew), ``step``, ``time`` (the label of the
        row that is forecast) and ``forecast``.
        There may be more columns, and rows may have any order.
    truth : Series or array-like of shape (n_times,)
        The truth, whose index is of the kind of ``origin`` and ``time``. An array counts its rows from 0.
    ax : Axes, default=None
        Where to draw. None makes a figure.

    Returns
    -------
    ax : matplotlib Axes
        Time, from the index of `truth` (durations in seconds) or else the number of the row, against the value. The
        first line is the truth, the others are the forecasts in the order of their origins, which dotted lines mark.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `forecasts` lacks a column, is empty, has an origin and step twice, or has other kinds of labels than
        `truth`.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrnn.plotting import plot_backtest
    >>> truth = pd.Series([3.0, 5.0, 4.0, 6.0, 5.0], name="load")
    >>> forecasts = pd.DataFrame({"origin": [1, 1, 2, 2], "step": [1, 2, 1, 2], "time": [2, 3, 3, 4]})
    >>> forecasts["forecast"] = [4.5, 5.5, 4.0, 5.0]
    >>> ax = plot_backtest(forecasts, truth)
    >>> [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in ax.lines[1:]]
    [([2, 3], [4.5, 5.5]), ([3, 4], [4.0, 5.0])]
    """
    values, name, index = read_series(truth, "truth")
    forecasts = getattr(forecasts, "forecasts", forecasts)
    _check_backtest(forecasts)
    table = pd.DataFrame({
        "origin": _placed(forecasts["origin"], index),
        "step": forecasts["step"].to_numpy(),
        "time": _placed(forecasts["time"], index),
        "forecast": forecasts["forecast"].to_numpy(dtype=float),
    }).sort_values(["origin", "step"])  # fmt: skip

    (ax,) = axes_to_draw_on(ax, 1)
    ax.plot(drawable(numbered(index)), values, color="0.4", label="truth")
    for k, (_, made) in enumerate(table.groupby("origin")):
        label, marker = "_forecast" if k else "forecast", "." if len(made) == 1 else None
        ax.plot(made["time"].to_numpy(), made["forecast"].to_numpy(), color=f"C{k % 2}", marker=marker, label=label)
    origins = table["origin"].unique()
    ax.vlines(
        origins, 0, 1, transform=ax.get_xaxis_transform(), colors="0.6", linestyles=":", linewidth=0.8, label="origin"
    )
    ax.set_xlabel(time_label(numbered(index)))
    ax.set_ylabel("value" if name is None else str(name))
    ax.legend()
    return ax


def _mean_of_outputs(errors: np.ndarray) -> np.ndarray:
    """Return (horizon,) the mean over known outputs of errors (horizon[, n_outputs]), NaN where none is known."""
    errors = errors.reshape(len(errors), -1)
    known = ~np.isnan(errors)
    total, count = np.where(known, errors, 0.0).sum(axis=1), known.sum(axis=1)
    return np.divide(total, count, out=np.full(len(errors), np.nan), where=count > 0)


def _check_backtest(forecasts: Any) -> None:
    check_columns(forecasts, ("origin", "step", "time", "forecast"), "forecasts")
    if len(forecasts) == 0:
        raise ValueError("`forecasts` must have a row for each origin and step, got no rows.")
    twice = forecasts.duplicated(["origin", "step"])
    if twice.any():
        origin, step = forecasts.loc[twice, ["origin", "step"]].iloc[0]
        raise ValueError(
            f"`forecasts` must have one row for each origin and step, got several of origin {origin}, step {step}. "
            'Choose one series and one target, as in forecasts[forecasts["series"] == name].'
        )


def _placed(column: pd.Series, index: pd.Index) -> np.ndarray:
    """Return what can be drawn of a column of labels beside the labels of the truth."""
    labels = pd.Index(column)
    check_same_kind(labels, index, f"The column {column.name!r} of `forecasts`", "the index of `truth`")
    return drawable(places(labels, index, f"forecasts.{column.name}", "truth"))
