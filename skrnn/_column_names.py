"""What the column names of a 2-D table say about steps and channels."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable

LAG = re.compile(r"^(?P<channel>.*?)_?lag_?(?P<lag>\d+)$")


def warn_about_columns(columns: Iterable[object], n_channels: int | None) -> None:
    """Warn when the columns of a table are no lags, or lags of another number of channels than `n_channels`.

    A recurrent net reads the columns of a table as time steps, oldest first, channels fastest. That is right for
    lagged columns (`a_lag1, b_lag1, a_lag0, b_lag0`) and a mistake for a table of unrelated features.
    """
    matches = [LAG.match(str(column)) for column in columns]
    if not all(matches):
        odd = next(str(column) for column, match in zip(columns, matches, strict=True) if match is None)
        warnings.warn(
            f"The columns of X are read as time steps, oldest first, but their names (such as {odd!r}) are no lags "
            "(a_lag1, a_lag0). If each row is one moment, put SlidingWindowTransformer before this step; if the "
            "columns are steps, pass X.to_numpy().",
            UserWarning,
            stacklevel=5,
        )
        return
    n_found = len({match["channel"] for match in matches if match})
    if n_found != (n_channels or 1):
        warnings.warn(
            f"The columns of X are lags of {n_found} channels, but n_channels={n_channels} reads them as "
            f"{n_channels or 1}. Set n_channels={n_found}.",
            UserWarning,
            stacklevel=5,
        )
