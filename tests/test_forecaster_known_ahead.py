"""Seq2SeqForecaster with inputs known in advance: each decoder reads each step's own value."""

import numpy as np
import pandas as pd
import pytest

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer, future_inputs

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}
DECODERS = ["autoregressive", "direct", "parallel"]


@pytest.mark.parametrize("patch_size, n_outputs", [(1, None), (1, 2), (3, 2)])
@pytest.mark.parametrize("decoder", DECODERS)
def test_what_is_known_ahead_is_forecast(decoder, patch_size, n_outputs):
    """The target is white noise that stands among the inputs known in advance: each step at its own place.

    The encoder reads it too, but its state has not the room for 12 steps.
    """
    table = pd.DataFrame(np.random.RandomState(0).randn(232, 3), columns=["a", "price", "sun"])
    known = future_inputs(table[:-12], ["sun", "price"], 12, future=table[-12:])
    X = SlidingWindowTransformer(12).fit_transform(known)
    y = table["price"][:-12] if n_outputs is None else table[["price", "sun"]][:-12]
    model = Seq2SeqForecaster(
        "gru", hidden_size=7, horizon=12, decoder=decoder, patch_size=patch_size, lr=0.03, max_epochs=30, random_state=0
    )
    with_known = model.set_params(future_channels=["price", "sun"]).fit(X, y).score(X, y)
    assert with_known > 0.85
    assert model.set_params(future_channels=None).fit(X, y).score(X, y) < with_known - 0.3


@pytest.mark.parametrize("decoder", DECODERS)
def test_shared_nets_read_what_is_known_ahead(decoder):
    rng = np.random.RandomState(0)
    noise = rng.randn(203)
    table = pd.DataFrame({"a": noise + 3, "z": noise, "b": 20 - 2 * noise})
    known = future_inputs(table[:-3], "z", 3, future=table[-3:])
    X = SlidingWindowTransformer(5).fit_transform(known)
    model = Seq2SeqForecaster(
        "gru", hidden_size=12, horizon=3, decoder=decoder, future_channels="z", lr=0.03, max_epochs=50, random_state=0
    )
    model.set_params(window_scaling=None).fit(X, table[["b", "a"]][:-3])
    assert model.score(X, table[["b", "a"]][:-3]) > 0.9
    of_each = model.set_params(channels="shared").fit(X, table[["a"]][:-3])
    assert of_each.score(X, table[["a"]][:-3]) > 0.9
    assert of_each.predict(X).shape == (200, 3, 1)
