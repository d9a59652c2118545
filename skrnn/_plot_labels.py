"""Where values stand along time: the labels of series, those that follow, and what matplotlib can draw of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from skrnn._calendar import kind_of, numbers
from skrnn._future_labels import Cadence


def read_series(series: Any, role: str) -> tuple[np.ndarray, Any, pd.Index]:
    """Return the values (n_times,) of a series, its name and its index, which counts rows where there is none.

    `role` is what a message calls it.
    """
    index = index_of(series, role)
    values = np.asarray(series, dtype=float)
    name = series.columns[0] if hasattr(series, "columns") and values.shape[1:] == (1,) else None
    name = getattr(series, "name", name)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"`{role}` must have shape (n_times,) with at least one row, got {values.shape}.")
    return values, name, pd.RangeIndex(len(values)) if index is None else index


def index_of(values: Any, role: str) -> pd.Index | None:
    """Return the index of a Series or DataFrame, None where there is none; one of several levels is refused."""
    if not hasattr(values, "iloc"):
        return None
    if isinstance(values.index, pd.MultiIndex):
        raise ValueError(
            f"`{role}` must be one series, got an index with the levels {list(values.index.names)}: choose one, as in "
            "y.loc[name]."
        )
    return values.index


def comparable(index: pd.Index, rows: pd.Index | None, n_rows: int) -> tuple[pd.Index, pd.Index]:
    """Return the labels of the truth and of the predictions, or the numbers of the rows where labels are names."""
    if rows is None:
        if n_rows != len(index):
            raise ValueError(
                f"`y_pred` must have the {len(index)} rows of `y_true` or an index that says which it has, got "
                f"{n_rows} rows: give it one, as in pd.Series(y_pred, index=...)."
            )
        rows = index
    check_same_kind(rows, index, "The index of `y_pred`", "`y_true`")
    return numbered(index), places(rows, index, "y_pred", "y_true")


def check_same_kind(labels: pd.Index, index: pd.Index, what: str, role: str) -> None:
    """Refuse labels that cannot stand on one axis with those of `role`, as dates and numbers."""
    if kind_of(labels) != kind_of(index):
        raise ValueError(
            f"{what} must be {kind_of(index) or 'names'}, as that of {role}, got {kind_of(labels) or 'names'}: give "
            "both the same index."
        )


def numbered(index: pd.Index) -> pd.Index:
    """Return the labels, or the numbers of the rows where labels are names."""
    return pd.RangeIndex(len(index)) if kind_of(index) is None else index


def places(labels: pd.Index, index: pd.Index, role: str, truth: str) -> pd.Index:
    """Return labels that can be drawn beside `index`: themselves, or the numbers of their rows where they are names."""
    if kind_of(index) is not None:
        return labels
    rows = np.arange(len(index)) if labels.equals(index) else index.get_indexer(labels)
    if (rows < 0).any():
        raise ValueError(f"The rows of `{role}` must be rows of `{truth}`, got {labels[rows < 0][0]!r}.")
    return pd.Index(rows)


def rows_after(index: pd.Index, label: Any, horizon: int, role: str) -> pd.Index:
    """Return the labels of the `horizon` rows after the one with this label; `index` goes on as it has come."""
    known = index[index > label][:horizon]
    if len(known) == horizon:
        return known
    end = index[-1:] if index[-1] >= label else pd.Index([label])
    return known.append(_cadence(index, role).after(end, horizon - len(known)))


def _cadence(index: pd.Index, role: str) -> Cadence:
    """Return how labels go on: as `Cadence` finds, or by the median step of labels that have none in common."""
    index = index if index.is_unique else index.unique()  # rows at one time count as one
    try:
        return Cadence.learn(index, np.zeros(len(index), dtype=np.intp))
    except ValueError:
        if len(index) < 2:
            raise ValueError(
                f"`{role}` has {len(index)} row, from which the time of the forecast does not follow."
            ) from None
        step = float(np.median(np.diff(numbers(index))))
        in_time = isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex)
        return Cadence(str(kind_of(index)), to_offset(pd.Timedelta(int(step), unit="us")) if in_time else step)


def drawable(index: pd.Index) -> np.ndarray:
    """Return what matplotlib can draw: dates, numbers, or durations in seconds."""
    if isinstance(index, pd.PeriodIndex):
        return index.to_timestamp().to_numpy()
    if isinstance(index, pd.DatetimeIndex):
        return index.tz_localize(None).to_numpy()
    if isinstance(index, pd.TimedeltaIndex):
        return index.total_seconds().to_numpy()
    return index.to_numpy()


def time_label(index: pd.Index) -> str:
    """Return what to write along the axis of time: the name of the index, or what it counts, and its unit."""
    label = index.name or ("row" if kind_of(index) == "numbers" else "time")
    return f"{label} (s)" if isinstance(index, pd.TimedeltaIndex) else str(label)


def check_columns(table: Any, names: Sequence[str], role: str) -> None:
    """Refuse what is no DataFrame with these columns."""
    columns = list(getattr(table, "columns", []))
    lost = [name for name in names if name not in columns]
    if lost:
        found = f"the columns {columns}" if hasattr(table, "columns") else type(table).__name__
        raise ValueError(f"`{role}` must be a DataFrame with the columns {list(names)}, got {found}.")
