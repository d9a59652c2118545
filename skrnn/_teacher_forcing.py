"""How often a decoder is fed the true values in training, as training goes on."""

from __future__ import annotations

import math
from typing import Any

from skrnn._parameters import check_float

LEAST = 0.01  # what "exponential" reaches in the end, and "inverse_sigmoid" nearly
STEEPNESS = 10.0
FALLS_FROM, FREE_FROM = 0.25, 0.6  # shares of a training in which forcing ends
DECAYS = ("linear", "exponential", "inverse_sigmoid")


def check_teacher_forcing(teacher_forcing: Any) -> None:
    """Raise ValueError unless it is a ratio between 0 and 1 or the name of a decay."""
    if isinstance(teacher_forcing, str):
        if teacher_forcing in DECAYS:
            return
        listed = ", ".join(repr(name) for name in DECAYS)
        raise ValueError(
            f"`teacher_forcing` must be a number from 0 to 1, or one of {listed}, got {teacher_forcing!r}."
        )
    check_float("teacher_forcing", teacher_forcing, low=0, high=1)


def forcing_ratio(teacher_forcing: float | str, progress: float, *, ends: bool = False) -> float:
    """The ratio when the share `progress` of the training is over (Bengio et al. 2015, section 2.4).

    "linear" falls from 1 to 0, "exponential" from 1 to 0.01 by the same factor each update, "inverse_sigmoid" stays
    near 1, falls fastest half-way and ends near 0. With `ends` every ratio falls to 0 between a quarter of the training
    and six tenths: a step's spread can only be learned from the path that the net itself takes.
    """
    if ends:
        left = (FREE_FROM - progress) / (FREE_FROM - FALLS_FROM)
        return forcing_ratio(teacher_forcing, progress) * min(max(left, 0.0), 1.0)
    if not isinstance(teacher_forcing, str):
        return float(teacher_forcing)
    if teacher_forcing == "linear":
        return 1 - progress
    if teacher_forcing == "exponential":
        return LEAST**progress
    return 1 / (1 + math.exp(STEEPNESS * (progress - 0.5)))
