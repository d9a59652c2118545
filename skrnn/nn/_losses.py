"""Losses by name, element by element; weights and unknown targets are applied by the net."""

from __future__ import annotations

from torch import nn

LOSSES: dict[str, type[nn.Module]] = {
    "squared_error": nn.MSELoss,
    "absolute_error": nn.L1Loss,
    "huber": nn.HuberLoss,
}
