"""A picture of what a decoder looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skrnn._plot_axes import axes_to_draw_on


def plot_attention(
    weights: Any,
    *,
    input_labels: Sequence[Any] | None = None,
    output_labels: Sequence[Any] | None = None,
    ax: Any = None,
) -> Any:
    """Draw the attention weights of one sample: how much each step of the output looked at each step of the input.

    Parameters
    ----------
    weights : array-like of shape (n_decoder_steps, n_encoder_steps)
        The weights of one sample, NaN (left white) where there is padding.
    input_labels : sequence of n_encoder_steps objects, default=None
        What to write below the columns, such as the words of the input. None counts them from 0.
    output_labels : sequence of n_decoder_steps objects, default=None
        What to write beside the rows. None counts them from 0.
    ax : Axes, default=None
        Where to draw. None makes a figure.

    Returns
    -------
    ax : matplotlib Axes
        The steps of the input across, those of the output down, the weights as colours from 0 on, with a colour bar.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `weights` has not two axes, a weight is negative or infinite or all are NaN, or there are not as many labels
        as steps.

    References
    ----------
    .. [1] D. Bahdanau, K. Cho and Y. Bengio, "Neural machine translation by jointly learning to align and translate",
       ICLR 2015, figure 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn.plotting import plot_attention
    >>> weights = [[0.9, 0.1, np.nan], [0.2, 0.8, np.nan]]  # the third step of the input is padding
    >>> ax = plot_attention(weights, input_labels=["guten", "Tag", ""], output_labels=["good", "day"])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['good', 'day']
    """
    weights = np.asarray(weights, dtype=float)
    if weights.ndim != 2:
        raise ValueError(
            f"`weights` must have shape (n_decoder_steps, n_encoder_steps), got {weights.shape}. Choose one sample, as "
            "in weights[0]."
        )
    known = ~np.isnan(weights)
    if not known.any():
        raise ValueError(f"`weights` must hold a weight that is known, got shape {weights.shape} with none but NaN.")
    wrong = known & ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"`weights` must be finite and at least 0, got {weights[row, column]} in row {row}, column {column}. Mark "
            "padding by NaN; scores become weights by a softmax."
        )
    down = _check_labels("output_labels", output_labels, weights.shape[0])
    across = _check_labels("input_labels", input_labels, weights.shape[1])

    (ax,) = axes_to_draw_on(ax, 1)
    image = ax.imshow(weights, vmin=0, aspect="auto", interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="attention weight")
    ax.locator_params(integer=True)
    if across is not None:
        ax.set_xticks(range(len(across)), across, rotation=90)
    if down is not None:
        ax.set_yticks(range(len(down)), down)
    ax.set_xlabel("input step")
    ax.set_ylabel("output step")
    return ax


def _check_labels(name: str, labels: Sequence[Any] | None, n_steps: int) -> list[str] | None:
    if labels is None:
        return None
    if isinstance(labels, str) or len(labels) != n_steps:
        got = repr(labels) if isinstance(labels, str) else len(labels)
        raise ValueError(f"`{name}` must be {n_steps} labels, one for each step of `weights`, got {got}.")
    return [str(label) for label in labels]
