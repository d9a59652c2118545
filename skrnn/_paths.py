"""Whole paths of a forecast: how the steps of a block vary together, and draws that vary alike.

Each target has a distribution of its own. What ties the steps of a block together (a Gaussian copula, Song 2000; for
forecasts Salinas et al. 2019) is the correlation of their normal scores, measured on training rows. The blocks of an
autoregressive decoder are its segments, each drawn given the values drawn before; other decoders have one block.
"""

from __future__ import annotations

import numpy as np
import torch

from skrnn._batches import SequenceDataset
from skrnn._distributions import Distribution
from skrnn._net import RecurrentNet

ROWS_AT_ONCE = 1024


def scores_of_blocks(net: RecurrentNet, dataset: SequenceDataset, distribution: Distribution) -> np.ndarray:
    """Normal scores of the true values, (n_blocks, block), NaN where unknown.

    A decoder that goes on from its own values is given the true ones, so that each block is judged given the blocks
    before it.
    """
    module = net.module_.eval()
    blocks = []
    with torch.inference_mode():
        for rows in torch.arange(len(dataset), device=dataset.first.device).split(ROWS_AT_ONCE):
            inputs, targets = dataset.batch(rows)
            if inputs["weights"] is not None:
                targets = targets.masked_fill(inputs["weights"] == 0, torch.nan)
            parameters = module(inputs["x"], inputs["lengths"], targets=targets, teacher_forcing=1.0)
            values = [tensor.to("cpu", torch.float64).numpy() for tensor in (parameters, targets)]
            scores = distribution.scores(*values)  # (batch, n_columns)
            blocks.append(module.in_blocks(scores))
    return np.concatenate(blocks)


def correlated_draws(
    parameters: torch.Tensor, *, distribution: Distribution, factor: np.ndarray, rng: np.random.Generator
) -> torch.Tensor:
    """Values (rows, steps, outputs) of one block from parameters (rows, steps, outputs, n_parameters)."""
    shape = tuple(parameters.shape[:-1])
    scores = rng.standard_normal((shape[0], len(factor))) @ factor.T  # (rows, block)
    values = distribution.from_scores(parameters.to("cpu", torch.float64).numpy(), scores.reshape(shape))
    return torch.from_numpy(np.ascontiguousarray(values)).to(parameters)
