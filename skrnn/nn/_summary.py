"""The parts of a net: what shape each gives, and how many weights it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from skrnn.nn._embedding import placeholder

COLUMNS = ("part", "kind", "output_shape", "n_parameters")


def parts_of(module: nn.Module, n_steps: int) -> list[tuple[str, str, str, int]]:
    """Rows of `COLUMNS` for each part that has weights of its own, in the order in which a batch passes them.

    Parameters
    ----------
    module : nn.Module
        A model of `_models`.
    n_steps : int
        Of the sequence that is sent through it.
    """
    rows: list[tuple[str, str, str, int]] = []

    def note(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, inputs: Any, output: Any) -> None:
            if any(row[0] == name for row in rows):
                return  # a decoder runs it again for each segment
            output = output[0] if isinstance(output, tuple) else output
            output = output.transpose(1, 2) if isinstance(part, nn.Conv1d) else output  # steps before features
            shape = ", ".join(str(size) for size in output.shape[1:])
            rows.append((name, type(part).__name__, f"(batch, {shape})", _n_weights(part)))

        return hook

    owners = [
        (name, part) for name, part in module.named_modules() if next(part.parameters(recurse=False), None) is not None
    ]
    hooks = [part.register_forward_hook(note(name)) for name, part in owners]
    try:
        with torch.inference_mode():
            module.eval()(placeholder(module, 1, n_steps))
    finally:
        for hook in hooks:
            hook.remove()
    noted = {row[0] for row in rows}
    # what only the loss or the prediction asks, such as the transitions of a CRF
    return rows + [(name, type(part).__name__, "", _n_weights(part)) for name, part in owners if name not in noted]


def _n_weights(part: nn.Module) -> int:
    weights: list[Tensor] = list(part.parameters(recurse=False))
    return sum(weight.numel() for weight in weights)
