"""Rise of the peak memory during the fit of a text pipeline, beside the dense block that it does not build.

    python tests/benchmarks/text_memory.py

Made-up texts of 20,000 words, most of them short, one of 2,000 tokens. A process of its own fits few texts first, so
that imports and first-time buffers do not count. The rise is the highest memory during the second fit less the memory
in use before it: ids, tables, what the optimizer keeps for each number of the tables (its gradient, two moments, and
the moving average of the weights), and batches.
"""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
from machine import describe
from memory import MEGABYTE, memory_in_use, peak_memory
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline, make_pipeline

from skrnn import RNNClassifier, TokenEmbedder

N_TEXTS, N_WORDS, LONGEST, DIM = 20_000, 20_000, 2_000, 64


def texts(n_texts: int) -> tuple[list[list[str]], np.ndarray]:
    """Return lists of words, and labels."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{i:05d}" for i in range(N_WORDS)])
    lengths = np.minimum(3 + rng.geometric(0.05, n_texts), 200)
    lengths[0] = LONGEST
    ranks = np.minimum(rng.zipf(1.3, lengths.sum()), N_WORDS) - 1
    documents = np.split(words[ranks], np.cumsum(lengths)[:-1])
    return [document.tolist() for document in documents], rng.integers(0, 2, n_texts)


def pipeline() -> Pipeline:
    """Build the pipeline whose memory is measured."""
    net = RNNClassifier(hidden_size=8, max_epochs=1, batch_size=64, random_state=0)
    return make_pipeline(TokenEmbedder(DIM, random_state=0), net)


def measure() -> None:
    """Print megabytes: the rise, ids and tables, the dense block. Runs in a process of its own."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    pipeline().fit(*texts(2_000))
    X, y = texts(N_TEXTS)
    before = memory_in_use()
    fitted = pipeline().fit(X, y)
    rise = peak_memory() - before
    tokens = fitted[0].transform(X)
    print(rise / MEGABYTE, tokens.nbytes / MEGABYTE, 4 * np.prod(tokens.shape) / MEGABYTE)


def main() -> None:
    """Measure in a fresh process and print."""
    child = subprocess.run([sys.executable, __file__, "child"], capture_output=True, text=True)
    if child.returncode:
        sys.exit(child.stderr)
    rise, tokens, dense = map(float, child.stdout.split())
    print(f"{N_TEXTS:,} texts, {N_WORDS:,} words, the longest text has {LONGEST:,} tokens, {DIM} numbers a token\n")
    print("| rise of the peak, MB | ids and tables, MB | the dense block, MB |\n| --- | --- | --- |")
    print(f"| {rise:.0f} | {tokens:.0f} | {dense:.0f} |\n\n{describe()}")


if __name__ == "__main__":
    measure() if sys.argv[1:] else main()
