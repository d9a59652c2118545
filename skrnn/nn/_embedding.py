"""Tokens to vectors, trained with the net: tables of ids and of hashed character n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

PADDING = 0  # the id of what is no token; its vector is zeros


@dataclass(frozen=True)
class EmbeddingSizes:
    """What a `TokenEmbedding` is made of.

    Attributes
    ----------
    tables : tuple of (int, int)
        Rows and columns of the table of each field of a token.
    n_buckets : int or None
        Rows of the table of n-gram buckets; None where tokens have no n-grams.
    trainable : bool
    """

    tables: tuple[tuple[int, int], ...]
    n_buckets: int | None
    trainable: bool


@dataclass(frozen=True)
class TokenBatch:
    """Sequences of tokens, as `TokenEmbedding` reads them.

    The n-grams of the words of the first field are given once for each different word.

    Attributes
    ----------
    ids : Tensor of shape (batch, steps, n_fields)
        0 is padding.
    words : Tensor of shape (n_words,), or None
        The different ids of the first field in this batch; None where tokens have no n-grams.
    places : Tensor of shape (batch, steps), or None
        Where in `words` each token is.
    starts : Tensor of shape (n_words,), or None
        Where in `buckets` the n-grams of each word begin.
    buckets : Tensor of shape (n_ngrams,), or None
    """

    ids: Tensor
    words: Tensor | None = None
    places: Tensor | None = None
    starts: Tensor | None = None
    buckets: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def shape(self) -> torch.Size:
        return self.ids.shape


class NGrams:
    """The n-gram buckets of every id, from which those of a batch are cut.

    Parameters
    ----------
    starts : Tensor of shape (n_ids + 1,)
    buckets : Tensor of shape (n_ngrams,)
        Those of id i are ``buckets[starts[i]:starts[i + 1]]``.
    """

    def __init__(self, starts: Tensor, buckets: Tensor) -> None:
        self.starts = starts
        self.buckets = buckets

    def batch(self, ids: Tensor) -> TokenBatch:
        """Tokens (batch, steps, n_fields) with the n-grams of their different words."""
        words, places = ids[..., 0].unique(return_inverse=True)
        words = words.long()
        begin = self.starts[words]
        size = self.starts[words + 1] - begin
        starts = size.cumsum(0) - size
        rows = torch.repeat_interleave(begin - starts, size)
        rows += torch.arange(len(rows), device=rows.device)
        return TokenBatch(ids, words, places, starts, self.buckets[rows])


class TokenEmbedding(nn.Module):
    """The vectors of tokens: a row of a table for each field, side by side; to words their n-grams are added.

    A word that is in no table has its n-grams alone (fastText, Bojanowski et al. 2017, section 3.2, with their sum
    divided by the root of their number, so that long words are not larger than short ones).

    Parameters
    ----------
    sizes : EmbeddingSizes
        Tables are zeros until `load` is called; they are buffers, not parameters, where they are not to be trained.
    """

    tables: list[Tensor]
    bucket_table: Tensor | None

    def __init__(self, sizes: EmbeddingSizes) -> None:
        super().__init__()
        self.n_fields = len(sizes.tables)
        self.n_words = sizes.tables[0][0]
        for field, shape in enumerate(sizes.tables):
            self._add(f"table_{field}", shape, sizes.trainable)
        if sizes.n_buckets is not None:
            self._add("bucket_table", (sizes.n_buckets, sizes.tables[0][1]), sizes.trainable)
        else:
            self.bucket_table = None

    def _add(self, name: str, shape: tuple[int, int], trainable: bool) -> None:
        table = torch.zeros(shape)
        if trainable:
            self.register_parameter(name, nn.Parameter(table))
        else:
            self.register_buffer(name, table)

    @torch.no_grad()
    def load(self, tables: Sequence[Tensor], bucket_table: Tensor | None) -> None:
        """Take over vectors; the tensors given stay as they are."""
        for field, table in enumerate(tables):
            self.table(field).copy_(table)
        if self.bucket_table is not None and bucket_table is not None:
            self.bucket_table.copy_(bucket_table)

    def table(self, field: int) -> Tensor:
        """The table of a field, (n_vocab, dim)."""
        return getattr(self, f"table_{field}")

    def forward(self, x: TokenBatch) -> Tensor:
        """(batch, steps, dim); zeros at padding"""
        fields = [self.words(x)]
        fields += [functional.embedding(x.ids[..., j], self.table(j), PADDING) for j in range(1, self.n_fields)]
        return fields[0] if len(fields) == 1 else torch.cat(fields, dim=-1)

    def words(self, x: TokenBatch) -> Tensor:
        """Vectors of the first field, (batch, steps, dim)."""
        table = self.table(0)
        if self.bucket_table is None or x.words is None or x.places is None or x.starts is None or x.buckets is None:
            return functional.embedding(x.ids[..., 0], table, PADDING)
        # a word past the table has no row: it reads the zeros of the padding
        vectors = functional.embedding(x.words.masked_fill(x.words >= self.n_words, PADDING), table, PADDING)
        n_grams = torch.diff(x.starts, append=x.starts.new_tensor([len(x.buckets)]))
        sums = functional.embedding_bag(x.buckets, self.bucket_table, x.starts, mode="sum")
        vectors = vectors + sums / n_grams.clamp(min=1).to(sums.dtype).sqrt()[:, None]
        return functional.embedding(x.places, vectors)


def as_vectors(x: Tensor | TokenBatch, embedding: TokenEmbedding | None) -> Tensor:
    """What an encoder reads, (batch, steps, channels): the vectors of tokens, or x as it is."""
    if isinstance(x, Tensor):
        return x
    assert embedding is not None
    vectors: Tensor = embedding(x)
    return vectors


def placeholder(module: Any, batch: int, n_steps: int) -> Tensor | TokenBatch:
    """An input of a model: zeros, or tokens that are all unknown.

    Parameters
    ----------
    module : SequenceModel or Seq2SeqModel
        With the attributes `n_channels` and `embedding`.
    batch, n_steps : int
    """
    weight = next(module.parameters())
    if module.embedding is None:
        return torch.zeros(batch, n_steps, module.n_channels, dtype=weight.dtype, device=weight.device)
    ids = torch.ones(batch, n_steps, module.embedding.n_fields, dtype=torch.int32, device=weight.device)
    nothing = torch.zeros(2, dtype=torch.long, device=weight.device)
    return NGrams(nothing.new_zeros(3), nothing[:0]).batch(ids)
