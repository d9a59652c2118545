"""Linear-chain conditional random field: the tags of a sequence are judged together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

UNKNOWN = -1  # the tag of a step that has none


class LinearChainCRF(nn.Module):
    """A distribution over the tags of a whole sequence (Lafferty et al. 2001; over a net: Lample et al. 2016).

    The score of a path y_1 ... y_n is the sum of the scores that a net gives to its tags, of a transition for each
    pair of neighbours, and of how well a sequence begins and ends with its first and last tag; its probability is
    the softmax of the score over all paths (Lample et al. 2016, section 2.2)::

        s(y) = start[y_1] + sum_t scores[t, y_t] + sum_t transitions[y_t, y_t+1] + end[y_n]
        log p(y) = s(y) - log sum_y' exp(s(y'))

    All methods take batches with the sequences at the front of their rows. What stands in the padding does not
    matter. A sequence without steps has one path, the empty one, of score 0.

    Parameters
    ----------
    n_tags : int

    Attributes
    ----------
    transitions : Parameter of shape (n_tags, n_tags)
        From the tag of the row to that of the column.
    start, end : Parameter of shape (n_tags,)
        All three begin at 0, where the tags of the steps are independent of each other: no two of these numbers
        play the same part, so there is no symmetry that random numbers would have to break.
    """

    def __init__(self, n_tags: int) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(n_tags, n_tags))
        self.start = nn.Parameter(torch.zeros(n_tags))
        self.end = nn.Parameter(torch.zeros(n_tags))

    def log_partition(self, scores: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The logarithm of the sum over all paths of exp(score).

        Parameters
        ----------
        scores : Tensor of shape (batch, steps, n_tags)
        lengths : Tensor of shape (batch,) or None
            Steps of each sequence; None if no row has padding.

        Returns
        -------
        Tensor of shape (batch,)
        """
        return self._total(self._forward(scores, _valid(scores, lengths))[-1], lengths)

    def path_score(self, scores: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The score of one path for each sequence.

        Parameters
        ----------
        scores : Tensor of shape (batch, steps, n_tags)
        tags : Tensor of shape (batch, steps), int64
            All known; of any value in the padding.
        lengths : Tensor of shape (batch,) or None

        Returns
        -------
        Tensor of shape (batch,)
        """
        valid = _valid(scores, lengths)
        tags = tags.masked_fill(~valid, 0)
        pairs = self.transitions[tags[:, :-1], tags[:, 1:]].masked_fill(~valid[:, 1:], 0)  # (batch, steps - 1)
        steps = scores.gather(2, tags[..., None])[..., 0].masked_fill(~valid, 0)
        last = (valid.sum(dim=1, keepdim=True) - 1).clamp(min=0)  # (batch, 1)
        borders = self.start[tags[:, 0]] + self.end[tags.gather(1, last)[:, 0]]
        return pairs.sum(dim=1) + steps.sum(dim=1) + borders.masked_fill(~valid[:, 0], 0)

    def constrained_log_partition(self, scores: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The logarithm of the sum of exp(score) over the paths that agree with the known tags.

        With no tag known it is `log_partition`, with all known it is `path_score`.

        Parameters
        ----------
        scores : Tensor of shape (batch, steps, n_tags)
        tags : Tensor of shape (batch, steps), int64
            -1 where the tag is not known.
        lengths : Tensor of shape (batch,) or None

        Returns
        -------
        Tensor of shape (batch,)
        """
        valid = _valid(scores, lengths)
        return self._total(self._forward(_only_known(scores, tags), valid)[-1], lengths)

    def negative_log_likelihood(
        self, scores: Tensor, tags: Tensor, lengths: Tensor | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Minus the log-likelihood of the known tags, the unknown ones summed over.

        It is a sum over the steps: by the chain rule the likelihood of a sequence is a product of the probabilities
        of each tag given the known tags before it (and all scores, also those of later steps). Weights multiply
        the logarithms of these. Equal weights w give w times the likelihood of the sequence, and a step is weighted
        without its neighbours, as class weights for tags need it. With L_t the constrained log-partition where
        only the tags up to step t are known, the weighted sum is ``sum_t weights[t] * (L_t-1 - L_t)``.

        Parameters
        ----------
        scores : Tensor of shape (batch, steps, n_tags)
        tags : Tensor of shape (batch, steps), int64
            -1 where the tag is not known; of any value in the padding.
        lengths : Tensor of shape (batch,) or None
        weights : Tensor of shape (batch, steps) or None
            At least 0. The tag of a step of weight 0 counts as unknown.

        Returns
        -------
        Tensor of shape (batch,)
            0 for a sequence in which no tag is known.
        """
        if weights is not None:
            return self._weighted(scores, tags.masked_fill(weights == 0, UNKNOWN), lengths, weights)
        unknown = (tags == UNKNOWN) & _valid(scores, lengths)
        agreeing = self.constrained_log_partition if unknown.any() else self.path_score
        return self.log_partition(scores, lengths) - agreeing(scores, tags, lengths)

    def viterbi(self, scores: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The path of the highest score; of two that are as high, the one with the lower last tag that differs.

        Parameters
        ----------
        scores : Tensor of shape (batch, steps, n_tags)
        lengths : Tensor of shape (batch,) or None

        Returns
        -------
        Tensor of shape (batch, steps), int64
            0 in the padding.
        """
        valid = _valid(scores, lengths)
        into = self.transitions.T  # (to, from)
        stay = torch.arange(scores.shape[2], device=scores.device)
        best = self.start + scores[:, 0]  # (batch, n_tags): of the paths that end in each tag
        came_from = []
        for t in range(1, scores.shape[1]):
            candidate, tag = (best[:, None] + into).max(dim=2)  # (batch, to)
            best = torch.where(valid[:, t, None], candidate + scores[:, t], best)
            came_from.append(torch.where(valid[:, t, None], tag, stay))
        path = [(best + self.end).argmax(dim=1, keepdim=True)]  # (batch, 1)
        for tag in reversed(came_from):
            path.append(tag.gather(1, path[-1]))
        return torch.cat(path[::-1], dim=1).masked_fill(~valid, 0)

    def marginals(self, scores: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The probability of each tag at each step, by the forward-backward algorithm in logarithms.

        Parameters
        ----------
        scores : Tensor of shape (batch, steps, n_tags)
        lengths : Tensor of shape (batch,) or None

        Returns
        -------
        Tensor of shape (batch, steps, n_tags)
            It adds up to 1 over the tags; 0 in the padding.
        """
        valid = _valid(scores, lengths)
        both = self._forward(scores, valid) + self._backward(scores, valid)  # (steps, batch, n_tags)
        return both.softmax(dim=2).transpose(0, 1).masked_fill(~valid[..., None], 0)

    def _weighted(self, scores: Tensor, tags: Tensor, lengths: Tensor | None, weights: Tensor) -> Tensor:
        valid = _valid(scores, lengths)
        agreeing = self._forward(_only_known(scores, tags), valid)  # (steps, batch, n_tags)
        beyond = self._backward(scores, valid)
        known_up_to = (agreeing + beyond).logsumexp(dim=2)  # L_t, (steps, batch)
        none_known = (self.start + _without_padding(scores[:, 0], valid[:, 0]) + beyond[0]).logsumexp(dim=1)
        surprise = -torch.diff(known_up_to, dim=0, prepend=none_known[None]).T  # (batch, steps)
        return (weights.masked_fill(~valid, 0) * surprise).sum(dim=1)

    def _forward(self, scores: Tensor, valid: Tensor) -> Tensor:
        """Log of the sum over the paths up to a step that end in each tag, its own score included.

        (steps, batch, n_tags). In the padding it stays what it was at the last step.
        """
        scores = _without_padding(scores, valid)
        into = self.transitions.T  # (to, from)
        found = [self.start + scores[:, 0]]
        for t in range(1, scores.shape[1]):
            longer = (found[-1][:, None] + into).logsumexp(dim=2) + scores[:, t]
            found.append(torch.where(valid[:, t, None], longer, found[-1]))
        return torch.stack(found)

    def _backward(self, scores: Tensor, valid: Tensor) -> Tensor:
        """Log of the sum over the paths that go on after a step in each tag, its own score left out.

        (steps, batch, n_tags). At the last step and in the padding it is `end`.
        """
        scores = _without_padding(scores, valid)
        last = self.end.expand_as(scores[:, 0])
        found = [last]
        for t in range(scores.shape[1] - 1, 0, -1):
            ahead = (found[-1] + scores[:, t])[:, None] + self.transitions  # (batch, from, to)
            found.append(torch.where(valid[:, t, None], ahead.logsumexp(dim=2), last))
        return torch.stack(found[::-1])

    def _total(self, at_last: Tensor, lengths: Tensor | None) -> Tensor:
        total = (at_last + self.end).logsumexp(dim=1)
        return total if lengths is None else total.masked_fill(lengths == 0, 0)


def _valid(scores: Tensor, lengths: Tensor | None) -> Tensor:
    """True at the steps of each sequence, (batch, steps)."""
    steps = torch.arange(scores.shape[1], device=scores.device)
    if lengths is None:
        return torch.ones_like(steps, dtype=torch.bool).expand(scores.shape[:2])
    return steps < lengths.to(scores.device)[:, None]


def _without_padding(scores: Tensor, valid: Tensor) -> Tensor:
    """Scores with 0 in the padding, so that no infinity there reaches a gradient."""
    return scores.masked_fill(~valid[..., None], 0)


def _only_known(scores: Tensor, tags: Tensor) -> Tensor:
    """Scores with minus infinity for the tags that a step of a known tag does not have."""
    others = torch.arange(scores.shape[2], device=scores.device) != tags[..., None]  # (batch, steps, n_tags)
    return scores.masked_fill(others & (tags != UNKNOWN)[..., None], -torch.inf)
