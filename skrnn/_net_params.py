"""`net_params`: everything of skorch and torch that has no parameter of its own, by skorch's names."""

from __future__ import annotations

import copy
import inspect
from typing import Any

# net_params key -> the flat parameter that decides the same thing
SHADOWS = {
    "lr": "lr",
    "optimizer": "optimizer",
    "optimizer__lr": "lr",
    "optimizer__weight_decay": "weight_decay",
    "max_epochs": "max_epochs",
    "batch_size": "batch_size",
    "iterator_train__batch_size": "batch_size",
    "iterator_train__shuffle": "shuffle",
    "iterator_train__generator": "random_state",
    "amp": "amp",
    "device": "device",
    "verbose": "verbose",
    "warm_start": "warm_start",
    "criterion": "loss",
    "criterion__reduction": "loss",
    "train_split": "validation",
    "valid_dataset": "validation",
    "average_weights": "early_stopping",
    "gradient_clip": "gradient_clip",
    "max_steps": "max_steps",
    "lr_schedule": "lr_schedule",
    "validate_every": "validate_every",
    "iterator_train__n_batches": "validate_every",
    "criterion__quantiles": "quantiles",
    "criterion__label_smoothing": "label_smoothing",
    "module__cell": "cell",
    "module__hidden_size": "hidden_size",
    "module__n_layers": "n_layers",
    "module__bidirectional": "bidirectional",
    "module__dropout": "dropout",
    "module__input_dropout": "input_dropout",
    "module__conv_channels": "conv_channels",
    "module__patch_size": "patch_size",
    "module__pooling": "pooling",
    "module__layer_norm": "layer_norm",
    "module__kernel": "kernel",
    "module__n_quantiles": "quantiles",
    "module__crf": "crf",
    "module__horizon": "horizon",
    "module__decoder": "decoder",
    "module__attention": "attention",
    "module__shared": "channels",
    "module__linear_skip": "linear_skip",
    "module__target_channels": "target_channels",
    "module__future_channels": "future_channels",
    "module__emission": "loss",
    "module__n_parameters": "quantiles",
    "module__central": "quantiles",
    "teacher_forcing": "teacher_forcing",
    "forcing_ends": "teacher_forcing",
    "criterion__transform": "target_transform",
    "module__n_channels": "n_channels",
    "module__dtype": "dtype",
    "module__seed": "random_state",
}
DECIDED_BY_DATA = {
    "module__embedding": "TokenEmbedder",
    "module__n_outputs": "the shape of y",
    "module__n_steps": "the window",
}
PREFIXES = ("optimizer", "module", "criterion", "iterator_train", "iterator_valid", "callbacks")
PLAIN = ("callbacks", "compile", "torch_load_kwargs", "use_caching")


def is_nested(name: str) -> bool:
    """Whether a parameter name belongs into `net_params`, such as "optimizer__betas"."""
    return name in PLAIN or (name.partition("__")[0] in PREFIXES and "__" in name)


def check_net_params(net_params: Any, parts: dict[str, Any]) -> dict[str, Any]:
    """Return a deep copy of `net_params` after every key was found to name something that has no flat parameter.

    Parameters
    ----------
    net_params : dict or None
    parts : dict
        For "optimizer", "module", "criterion" and the iterators the class whose arguments may be named.

    Raises
    ------
    ValueError
        A key that shadows a flat parameter, or that names nothing.
    """
    if net_params is None:
        return {}
    if not isinstance(net_params, dict):
        raise ValueError(
            f"`net_params` must be a dict such as {{'optimizer__betas': (0.9, 0.99)}} or None, got {net_params!r}."
        )
    for key in net_params:
        if key in SHADOWS:
            raise ValueError(
                f"net_params[{key!r}] shadows the parameter `{SHADOWS[key]}`; set {SHADOWS[key]}=... instead."
            )
        if key in DECIDED_BY_DATA:
            raise ValueError(f"net_params[{key!r}] cannot be set: {DECIDED_BY_DATA[key]} decides it.")
        if str(key).startswith(("callbacks__best_weights", "callbacks__progress")):
            raise ValueError(
                f"net_params[{key!r}] names a callback of skrnn's own, which early_stopping and verbose set."
            )
        prefix, _, argument = str(key).partition("__")
        if key in PLAIN or (prefix == "callbacks" and argument):
            continue
        if not argument or prefix not in parts:
            raise ValueError(
                f"net_params[{key!r}] names nothing that can be set. Expected one of {', '.join(PLAIN)}, or an "
                f"argument behind one of {', '.join(p + '__' for p in PREFIXES)} (see the documentation of skorch)."
            )
        allowed = _arguments(parts[prefix])
        if argument not in allowed and not (prefix == "optimizer" and argument.startswith("param_groups")):
            raise ValueError(
                f"net_params[{key!r}] names nothing: {parts[prefix].__name__} has no argument {argument!r}, only "
                f"{', '.join(sorted(allowed))}."
            )
    return copy.deepcopy(net_params)  # callbacks get state while they run


def takes_argument(part: Any, name: str) -> bool:
    """Whether a class can be given an argument of that name."""
    return name in _arguments(part)


def _arguments(part: Any) -> set[str]:
    return set(inspect.signature(part.__init__).parameters) - {"self", "params", "dataset", "args", "kwargs"}


def same(value: Any, other: Any) -> bool:
    """Whether two values of a parameter are the same thing; arrays only when they are one object."""
    try:
        return value is other or bool(value == other)
    except (TypeError, ValueError, RuntimeError):
        return False
