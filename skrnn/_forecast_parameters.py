"""What the parameters of a forecaster must be, alone, together, and with its data."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from skrnn._hyperparameters import check_loss, check_net_hyperparameters, idle_quantiles
from skrnn._parameters import check_bool, check_float, check_int, check_option
from skrnn._row_map import UNKNOWN
from skrnn._target_transform import check_transform
from skrnn._targets import Targets
from skrnn._teacher_forcing import check_teacher_forcing
from skrnn._validation import Sequences
from skrnn.nn._attention import ATTENTIONS
from skrnn.nn._decoder import DECODERS
from skrnn.nn._losses import FORECAST_LOSSES

DEFAULT_FORCING = 0.5


def check_forecast_parameters(estimator: Any) -> None:
    """Raise ValueError for the first parameter that is not what it must be."""
    check_net_hyperparameters(estimator)
    check_loss(estimator.loss, tuple(FORECAST_LOSSES))
    if estimator.horizon is not None:
        check_int("horizon", estimator.horizon, low=1)
    check_option("decoder", estimator.decoder, DECODERS)
    check_option("attention", estimator.attention, (None, *ATTENTIONS))
    check_option("channels", estimator.channels, ("joint", "shared"))
    check_bool("linear_skip", estimator.linear_skip)
    check_teacher_forcing(estimator.teacher_forcing)
    check_transform(estimator.target_transform)
    if estimator.calibration_fraction is not None:
        fraction = estimator.calibration_fraction
        check_float("calibration_fraction", fraction, low=0, high=1, open_low=True, open_high=True)


def idle_forecast_parameters(estimator: Any) -> list[str]:
    """What to say of parameters that were set but do nothing."""
    messages = idle_quantiles(estimator.loss, estimator.quantiles)
    if estimator.attention is not None and estimator.decoder == "direct":
        messages.append(
            f"attention={estimator.attention!r} does nothing, since decoder='direct' has no steps that could look "
            "back. Set decoder='autoregressive' or 'parallel'."
        )
    if estimator.teacher_forcing != DEFAULT_FORCING and estimator.decoder != "autoregressive":
        messages.append(
            f"teacher_forcing={estimator.teacher_forcing!r} does nothing, since decoder={estimator.decoder!r} reads no "
            "value of the step before. Set decoder='autoregressive'."
        )
    return messages


def check_forecast_channels(
    estimator: Any, targets: Targets, future: tuple[int, ...], n_steps: int, horizon: int
) -> None:
    """Raise ValueError where windows or channels do not have what the decoder is to read.

    Parameters
    ----------
    estimator : estimator
    targets : Targets
    future : tuple of int
        The channels known in advance.
    n_steps, horizon : int
    """
    if future and n_steps < horizon:
        raise ValueError(
            f"The decoder reads the last {horizon} steps of future_channels={estimator.future_channels!r}, one for "
            f"each step of the horizon, but windows have {n_steps}. Take a window of at least {horizon}."
        )
    own = targets.channels[-targets.n_outputs :]
    both = sorted(set(own.tolist()) & set(future))
    if both:
        raise ValueError(
            f"Channel(s) {both} of X cannot be target and known in advance at once; take them out of future_channels."
        )
    if estimator.channels == "shared" and ((own == UNKNOWN).any() or len(np.unique(own)) < len(own)):
        raise ValueError(
            "channels='shared' applies the net to the past of each output, so each needs a channel of X of its own, "
            f"but the channels found are {own.tolist()} (-1: none). Pass the targets' past in X, name it by "
            "target_channels, or set channels='joint'."
        )


def warn_of_padded_patches(estimator: Any, sequences: Sequences) -> None:
    """Say so where patches do not divide the window."""
    patch, n_steps = estimator.patch_size, sequences.n_steps
    if not sequences.are_windows or n_steps % patch == 0:
        return
    padded = -n_steps % patch
    warnings.warn(
        f"patch_size={patch} does not divide the window of {n_steps} steps, so the first patch of each window begins "
        f"with {padded} step(s) of padding. A window of {n_steps + padded} needs none.",
        UserWarning,
        stacklevel=7,
    )


def check_can_go_further(horizon: int, fitted: int, made_with: dict[str, Any]) -> None:
    """Raise ValueError when nets `made_with` these parameters have nothing to say beyond the steps of their fit."""
    beyond = f"horizon={horizon} goes beyond the {fitted} steps of `fit`"
    if made_with["decoder"] != "autoregressive":
        raise ValueError(
            f"{beyond}, and decoder={made_with['decoder']!r} has weights for these only. Fit with horizon={horizon}, "
            "or with decoder='autoregressive'."
        )
    if made_with["linear_skip"]:
        raise ValueError(f"{beyond}, and linear_skip=True has weights for these only. Fit with horizon={horizon}.")
    if made_with["future_channels"]:
        raise ValueError(
            f"{beyond}, and the future channels hold what is known of these only. Build them with "
            f"future_inputs(..., horizon={horizon}), and fit with horizon={horizon}."
        )
