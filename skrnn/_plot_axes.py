"""The Axes that a picture is drawn on: the only place that imports matplotlib, when a picture is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np


def axes_to_draw_on(ax: Any, n_axes: int) -> np.ndarray:
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
