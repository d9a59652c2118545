"""Training time of length buckets against random batches that are trimmed to their longest sequence.

    SKRNN_DATA=FOLDER python tests/benchmarks/length_buckets.py

The same net is trained on the SMS messages with both kinds of batches in turn, six times each; the ratio of the
processor's seconds is printed, and how much of what is computed is padding.
"""

from __future__ import annotations

import numpy as np
import torch
from classification_tasks import SMS
from forecast_tasks import timed_fit
from machine import describe

from skrnn import EmbeddedTokens, RNNClassifier, TokenEmbedder

N_RUNS, N_EPOCHS, BATCH_SIZE = 6, 3, 64


def net(by_length: bool) -> RNNClassifier:
    """Return the classifier, with one kind of batches."""
    return RNNClassifier(
        hidden_size=64,
        bidirectional=True,
        batch_size=BATCH_SIZE,
        max_epochs=N_EPOCHS,
        early_stopping=False,
        random_state=0,
        net_params={"iterator_train__by_length": by_length},
    )


def padding(X: EmbeddedTokens, by_length: bool) -> float:
    """Return the share of steps that are padding in one pass; chunks of 32 batches are sorted, as in the package."""
    rng = np.random.default_rng(0)
    lengths = X.lengths[rng.permutation(len(X))]
    if by_length:
        chunks = [np.sort(chunk) for chunk in np.split(lengths, range(32 * BATCH_SIZE, len(X), 32 * BATCH_SIZE))]
        lengths = np.concatenate(chunks)
    batches = np.split(lengths, range(BATCH_SIZE, len(X), BATCH_SIZE))
    computed = sum(len(batch) * batch.max() for batch in batches)
    return float(1 - lengths.sum() / computed)


def main() -> None:
    """Train in turn and print the ratio."""
    torch.set_num_threads(1)
    task = SMS()
    X = TokenEmbedder(random_state=0).fit_transform(task.X)
    timed_fit(net(True), X, task.y)  # what is done once only does not count
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(N_RUNS):
        for by_length in (True, False):
            seconds[by_length].append(timed_fit(net(by_length), X, task.y))
    ratios = np.array(seconds[True]) / seconds[False]
    print(
        "| batches | padding | seconds for three epochs, median | ratio, median (least, most) |\n"
        "| --- | --- | --- | --- |"
    )
    for by_length, name in ((False, "random, trimmed to their longest"), (True, "length buckets")):
        ratio = f"{np.median(ratios):.2f} ({ratios.min():.2f}, {ratios.max():.2f})" if by_length else "1"
        print(f"| {name} | {padding(X, by_length):.0%} | {np.median(seconds[by_length]):.2f} | {ratio} |")
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
