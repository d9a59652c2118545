"""Whether a loss is one that a net can be trained with; found out before the training starts."""

from __future__ import annotations

from typing import Any

import torch

from skrnn.nn._embedding import placeholder


def check_loss_of(net: Any, dataset: Any) -> None:
    """Raise ValueError unless the loss of a net has one number for each target.

    Parameters
    ----------
    net : RecurrentNet
    dataset : SequenceDataset
        What it will be trained on.
    """
    if net.weighs:  # a loss of skrnn's own, which gives one number for each sequence
        return
    n_outputs, name = net.module__n_outputs, net.criterion.__name__
    with torch.no_grad():
        outputs = net.module_.eval()(placeholder(net.module_, 2, 1))
    targets = torch.zeros_like(net.point_forecast(outputs))
    given = dataset.batch(torch.zeros(2, dtype=torch.long, device=dataset.first.device))[0].get("loss", {})
    try:
        shape = tuple(net.criterion_(outputs, targets, **given).shape)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"The loss {name} failed on predictions and targets of {n_outputs} zero(s): {error}"
        ) from error
    if shape != tuple(targets.shape):
        raise ValueError(
            f"The loss {name} must return the loss of each element for reduction='none': shape "
            f"{tuple(targets.shape)} for predictions and targets of that shape, got {shape}."
        )
