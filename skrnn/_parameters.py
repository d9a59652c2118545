"""Checks of constructor parameters: expected, got, remedy."""

from __future__ import annotations

import math
import numbers
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np


def check_int(name: str, value: Any, *, low: int, also: str = "") -> int:
    """Return `value` when it is an int of at least `low` (bool and float are not ints), else raise ValueError.

    `also` names what else the caller takes, such as " or None".
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
        raise ValueError(f"`{name}` must be an int of at least {low}{also}, got {reprlib.repr(value)}.")
    return int(value)


def is_number(value: Any) -> bool:
    """Whether `value` is a real number and no bool."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def check_float(
    name: str,
    value: Any,
    *,
    low: float,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return `value` when it is a finite number between `low` and `high`, else raise ValueError.

    `open_low` and `open_high` exclude the limit itself.
    """
    inside = (
        is_number(value)
        and math.isfinite(value)
        and (value > low if open_low else value >= low)
        and (value < high if open_high else value <= high)
    )
    if not inside:
        lower = f"greater than {low}" if open_low else f"of at least {low}"
        upper = "" if math.isinf(high) else f" and {'below' if open_high else 'at most'} {high}"
        raise ValueError(f"`{name}` must be a number {lower}{upper}, got {value!r}.")
    return float(value)


def check_bool(name: str, value: Any) -> bool:
    """Return `value` when it is True or False, else raise ValueError."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ValueError(f"`{name}` must be True or False, got {value!r}.")


def check_option(name: str, value: Any, options: Sequence[Any], *, also: str = "") -> Any:
    """Return `value` when it is one of `options`, else raise ValueError that lists them (and `also`)."""
    for option in options:
        if value is option or (isinstance(value, (str, np.bool_)) and value == option):
            return option
    listed = ", ".join(repr(option) for option in options)
    raise ValueError(f"`{name}` must be one of {listed}{also}, got {value!r}.")
