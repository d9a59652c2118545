"""Optimizers and learning-rate schedules by name, and all parameters of a net as one flat vector."""

from __future__ import annotations

import inspect
import math
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from skrnn._net_params import takes_argument

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
SCHEDULES = ("cosine", "onecycle", "warmup_cosine", "plateau")
ANNEALED = ("cosine", "onecycle", "warmup_cosine")  # these reach 0 at the end of the training, not before
WARMUP = 0.1  # share of the training in which "warmup_cosine" rises
FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def is_optimizer_class(optimizer: Any) -> bool:
    """Whether `optimizer` is a class of torch optimizers, rather than a name."""
    return inspect.isclass(optimizer) and issubclass(optimizer, torch.optim.Optimizer)


def optimizer_args(optimizer: Any, given: dict[str, Any], weight_decay: float, *, on_cpu: bool) -> dict[str, Any]:
    """Arguments of an optimizer class beside its lr and those `given` in `net_params`, by skorch's names.

    Raises
    ------
    ValueError
        The optimizer has no weight decay.
    """
    args: dict[str, Any] = {}
    if weight_decay:
        if not takes_argument(optimizer, "weight_decay"):
            raise ValueError(f"{optimizer.__name__} has no weight_decay; set weight_decay=0, got {weight_decay}.")
        args["optimizer__weight_decay"] = weight_decay
    if optimizer in FUSED and on_cpu and not given.get("optimizer__foreach"):
        args["optimizer__fused"] = given.get("optimizer__fused", True)
    return args


class FlatParameters:
    """One vector that holds all parameters of a module, and one that holds their gradients.

    The module's parameters and their gradients become views of the two. An optimizer then makes one call for all of
    them instead of one for each, and clipping and copying are one operation (measured: 30 us instead of 140-490 us a
    step of Adam). The order is that of `module.parameters()`.

    Attributes
    ----------
    parameter : nn.Parameter of shape (n_parameters,)
        With `grad` set.
    """

    def __init__(self, module: nn.Module) -> None:
        self._parameters = list(module.parameters())
        self.parameter = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in self._parameters]))
        self.parameter.grad = torch.zeros_like(self.parameter)
        begin = 0
        for p in self._parameters:
            end = begin + p.numel()
            p.data = self.parameter.data[begin:end].view_as(p)
            p.grad = self.parameter.grad[begin:end].view_as(p)
            begin = end

    def release(self) -> None:
        """Give every parameter memory of its own again, so that the module can be pickled and copied piece by piece."""
        for p in self._parameters:
            p.data = p.data.clone()
            p.grad = None


class WeightAverage:
    """An exponential moving average of the weights over the updates, to be judged and kept in their place.

    At a high learning rate single weights jitter around a valley; their average lies in it (Polyak and Juditsky
    1992). Measured on parts of the training rows of the three benchmark series: lower error on each
    (docs/benchmarks.md).

    Parameters
    ----------
    parameters : list of nn.Parameter
    decay : float
        Weight of the past at each update; the average reaches over about 1 / (1 - decay) updates, fewer at first.
    """

    def __init__(self, parameters: list[nn.Parameter], decay: float = 0.97) -> None:
        self._parameters = [p.data for p in parameters]
        self._average = [p.clone() for p in self._parameters]
        self.decay = decay
        self._n_updates = 0
        self._swapped = False

    def update(self) -> None:
        """Move the average towards the weights."""
        self._n_updates += 1
        decay = min(self.decay, self._n_updates / (9 + self._n_updates))
        torch._foreach_lerp_(self._average, self._parameters, 1 - decay)

    def swap(self, averaged: bool) -> None:
        """Let the module hold the average (`averaged`) or the weights themselves."""
        if averaged != self._swapped:
            for parameter, average in zip(self._parameters, self._average, strict=True):
                kept = parameter.clone()
                parameter.copy_(average)
                average.copy_(kept)
            self._swapped = averaged


def clear_gradients(parameters: list[nn.Parameter]) -> None:
    """Let the gradients of the next batch begin at 0; that of one flat vector stays where it is (`FlatParameters`)."""
    gradient = parameters[0].grad
    if len(parameters) == 1 and gradient is not None:
        gradient.zero_()
    else:
        for parameter in parameters:
            parameter.grad = None


def clip_gradient(parameters: list[nn.Parameter], max_norm: float) -> None:
    """Scale the gradients so that their joint Euclidean norm is at most `max_norm` (Pascanu et al. 2013)."""
    if len(parameters) > 1:
        nn.utils.clip_grad_norm_(parameters, max_norm)
        return
    gradient = parameters[0].grad
    assert gradient is not None
    scale = max_norm / (float(torch.linalg.vector_norm(gradient)) + 1e-6)
    if not scale >= 1:  # NaN scales too, as torch's clipping does
        gradient.mul_(scale)


def make_schedule(name: str | None, optimizer: torch.optim.Optimizer, total_steps: int) -> Any:
    """The torch scheduler of a name: stepped after every batch, "plateau" after every epoch with the loss; or None.

    Parameters
    ----------
    name : {"cosine", "onecycle", "warmup_cosine", "plateau"} or None
        "cosine" anneals the lr to 0 over the whole training (Loshchilov and Hutter 2017), "onecycle" warms up over
        30 % of it and then anneals (Smith 2018), "warmup_cosine" rises in a straight line over 10 % of it and then
        anneals (Goyal et al. 2017), "plateau" halves the lr after 5 epochs without a better loss.
    optimizer : torch optimizer
        Its lr is the highest.
    total_steps : int
        Batches in the whole training.
    """
    if name is None:
        return None
    if name == "plateau":
        return lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=5)
    if name == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, T_max=total_steps)
    if name == "warmup_cosine":
        return lr_scheduler.LambdaLR(optimizer, partial(_warmup_cosine, total_steps=total_steps))
    lr = [group["lr"] for group in optimizer.param_groups]
    # one step more than there are batches: the last call of step comes after the last batch
    return lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=total_steps + 1, cycle_momentum=False)


def _warmup_cosine(step: int, total_steps: int) -> float:
    """The share of the highest lr at a step: up to 1 in a straight line, then down to 0 along half a cosine."""
    n_rising = max(1, round(WARMUP * total_steps))
    if step < n_rising:
        return (step + 1) / n_rising
    return (1 + math.cos(math.pi * (step - n_rising) / max(1, total_steps - n_rising))) / 2
