"""skrnn: recurrent neural networks as ordinary scikit-learn estimators.

A name is imported when it is first used, so ``import skrnn`` alone loads neither torch nor pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers and editors read; `_HOME` says the same to Python
    from skrnn import datasets, metrics, model_selection, plotting
    from skrnn._embedded_tokens import EmbeddedTokens
    from skrnn._past_targets import past_targets
    from skrnn._sequences import Windows
    from skrnn._word_shapes import words_with_shapes
    from skrnn.classifier import RNNClassifier
    from skrnn.forecaster import Seq2SeqForecaster
    from skrnn.regressor import RNNRegressor
    from skrnn.series import Backtest, SeriesForecaster
    from skrnn.tagger import SequenceTagger
    from skrnn.text import TokenEmbedder
    from skrnn.windows import SlidingWindowTransformer, future_inputs, future_targets, sliding_windows

__version__ = "0.1.0.dev0"

__all__ = [
    "Backtest",
    "EmbeddedTokens",
    "RNNClassifier",
    "RNNRegressor",
    "Seq2SeqForecaster",
    "SequenceTagger",
    "SeriesForecaster",
    "SlidingWindowTransformer",
    "TokenEmbedder",
    "Windows",
    "__version__",
    "datasets",
    "future_inputs",
    "future_targets",
    "metrics",
    "model_selection",
    "past_targets",
    "plotting",
    "sliding_windows",
    "words_with_shapes",
]

_HOME = {
    "Backtest": "skrnn.series",
    "EmbeddedTokens": "skrnn._embedded_tokens",
    "RNNClassifier": "skrnn.classifier",
    "RNNRegressor": "skrnn.regressor",
    "Seq2SeqForecaster": "skrnn.forecaster",
    "SequenceTagger": "skrnn.tagger",
    "SeriesForecaster": "skrnn.series",
    "SlidingWindowTransformer": "skrnn.windows",
    "TokenEmbedder": "skrnn.text",
    "Windows": "skrnn._sequences",
    "future_inputs": "skrnn.windows",
    "future_targets": "skrnn.windows",
    "past_targets": "skrnn._past_targets",
    "sliding_windows": "skrnn.windows",
    "words_with_shapes": "skrnn._word_shapes",
}
_SUBMODULES = {"datasets", "metrics", "model_selection", "plotting"}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"skrnn.{name}")  # the import sets the attribute: this runs once for a name
    if name not in _HOME:
        raise AttributeError(f"module 'skrnn' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
