"""What may stand in front of the recurrent layers: a causal convolution, and patches of several steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CausalConvolution(nn.Module):
    """A 1-D convolution that sees a step and those before it, with ReLU (van den Oord et al. 2016, section 2.1).

    In front of the first step it reads zeros; padding behind a row's last valid step is seen by no valid step.

    Parameters
    ----------
    n_channels, n_filters, kernel_size : int
    generator : torch.Generator
        Draws the weights, Glorot uniform.
    """

    def __init__(self, n_channels: int, n_filters: int, kernel_size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(n_channels, n_filters, kernel_size)
        nn.init.xavier_uniform_(self.convolution.weight, generator=generator)
        with torch.no_grad():
            self.convolution.bias.zero_()  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """(batch, steps, channels) -> (batch, steps, filters)"""
        before = self.convolution.kernel_size[0] - 1
        x = functional.pad(x.transpose(1, 2), (before, 0))  # (batch, channels, before + steps)
        return self.convolution(x).relu().transpose(1, 2)


class PatchEmbedding(nn.Module):
    """`patch_size` consecutive steps become one, by a linear map and ReLU (SegRNN, Lin et al. 2023, section 3.2).

    The last patch ends on the last valid step of its row. Where a length is no multiple of `patch_size`, the
    first patch begins with zeros.

    Parameters
    ----------
    n_channels, patch_size, size : int
    generator : torch.Generator
        Draws the weights, Glorot uniform.
    """

    def __init__(self, n_channels: int, patch_size: int, size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.embedding = nn.Linear(patch_size * n_channels, size)
        nn.init.xavier_uniform_(self.embedding.weight, generator=generator)
        nn.init.zeros_(self.embedding.bias)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(batch, steps, channels) and lengths in steps -> (batch, patches, size) and lengths in patches"""
        batch, n_steps, n_channels = x.shape
        n_patches = -(-n_steps // self.patch_size)
        missing = n_patches * self.patch_size - n_steps
        if lengths is None:
            x = functional.pad(x, (0, 0, missing, 0))  # zeros in front, (batch, patches * patch_size, channels)
        else:
            step = torch.arange(n_patches * self.patch_size, device=x.device) - (-lengths % self.patch_size)[:, None]
            inside = (step >= 0) & (step < lengths[:, None])  # (batch, patches * patch_size)
            step = step.clamp(0, n_steps - 1)[..., None].expand(-1, -1, n_channels)
            x = x.gather(1, step) * inside[..., None]
            lengths = -(-lengths // self.patch_size)
        return self.embedding(x.reshape(batch, n_patches, -1)).relu(), lengths
