"""`encode` gives the states of the last recurrent layer, and `summary` the parts of the net."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError

from skrnn import RNNRegressor, Windows

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"hidden_size": 3, "max_epochs": 2, "dtype": "float64", "random_state": 0}
CELLS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
NAN = np.nan


def block(n_samples=11, n_steps=5, n_channels=2, seed=0):
    return np.random.RandomState(seed).randn(n_samples, n_steps, n_channels)


def padded():
    X = block(n_steps=7)
    X[1, :2] = X[2, 3:] = X[3, :1] = X[3, 4:] = NAN
    return X, ~np.isnan(X).all(axis=2)


def ragged(seed=0):
    rng = np.random.RandomState(seed)
    return [rng.randn(n_steps, 2) for n_steps in (3, 5, 1, 7, 5, 2)]


def windows(n_rows=17):
    rows = np.random.RandomState(0).randn(n_rows, 2).cumsum(axis=0)
    return Windows(rows, np.arange(n_rows), np.zeros(n_rows), np.zeros(n_rows), 5)


def first(X):
    return np.array([sequence[~np.isnan(sequence).all(axis=1)][0, 0] for sequence in X])


def fitted(X, cell="gru", **params):
    return RNNRegressor(cell, **SMALL | params).fit(X, first(X))


def standardised(model, sequence):
    scaling = model._scaling.inputs
    return torch.from_numpy((sequence - scaling.mean) / scaling.scale)[None]


def by_torch(model, cell, sequence, size=3):
    """Outputs (steps, features), final h and c of one sequence, by a net of torch's own with the same weights."""
    recurrences = model.net_.module_.encoder.recurrent.recurrences
    n_directions = 2 if model.bidirectional else 1
    net = CELLS[cell](
        2, size, num_layers=model.n_layers, bidirectional=model.bidirectional, batch_first=True, dtype=torch.float64
    )
    state = {}
    for number, recurrence in enumerate(recurrences):
        suffix = f"_l{number // n_directions}" + ("_reverse" if number % n_directions else "")
        for name, value in recurrence.state_dict().items():
            state[name.removesuffix("_l0") + suffix] = value
    net.load_state_dict(state)
    with torch.no_grad():
        outputs, final = net(standardised(model, sequence))
    h, c = final if cell == "lstm" else (final, final)
    return outputs[0].numpy(), *(part[-n_directions:, 0].reshape(-1).numpy() for part in (h, c))


def side_by_side(states):
    return np.concatenate(states, axis=1) if isinstance(states, tuple) else states


# -- final states --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("params", [{}, {"bidirectional": True}, {"n_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("form", ["block", "padded", "ragged"])
def test_final_states_are_torchs(form, params, cell):
    X = {"block": block(), "padded": padded()[0], "ragged": ragged()}[form]
    model = fitted(X, cell, **params)
    states = model.encode(X)
    size = 6 if model.bidirectional else 3
    assert isinstance(states, tuple) is (cell == "lstm")
    for state in states if cell == "lstm" else [states]:
        assert state.shape == (len(X), size)
        assert state.dtype == np.float64
    for i, sequence in enumerate(X):
        _, h, c = by_torch(model, cell, sequence[~np.isnan(sequence).all(axis=1)])
        if cell == "lstm":
            np.testing.assert_allclose(states[0][i], h, rtol=1e-9)
            np.testing.assert_allclose(states[1][i], c, rtol=1e-9)
        else:
            np.testing.assert_allclose(states[i], h, rtol=1e-9)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_rows_stay_in_their_order(cell):
    """Rows are read by length; what comes out stands in the order of X."""
    X = ragged() + ragged(1)
    model = fitted(X, cell)
    together = side_by_side(model.encode(X))
    for i in np.random.RandomState(0).permutation(12):
        np.testing.assert_allclose(side_by_side(model.encode([X[i]]))[0], together[i], rtol=1e-9)


def test_the_head_on_the_final_state_is_the_prediction():
    X, _ = padded()
    model = fitted(X, bidirectional=True)
    linear = model.net_.module_.head.linear
    outputs = model.encode(X) @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
    targets = model._scaling.targets
    np.testing.assert_allclose(model.predict(X), (outputs * targets.scale + targets.mean)[:, 0], rtol=1e-9)


def test_windows_are_encoded_as_they_are_scaled():
    X = windows()
    model = RNNRegressor("gru", **SMALL, horizon=1).fit(X, X.base[:, 0])
    moved = Windows(X.base + [300, 0], X.ends, X.starts, X.series, 5)
    assert model.encode(X).shape == (17, 3)
    np.testing.assert_allclose(model.encode(moved), model.encode(X), rtol=1e-6)  # without its last value


def test_precision_of_the_net_does_not_show():
    X = block()
    states = fitted(X, dtype="float32").encode(X)
    assert states.dtype == np.float64
    assert fitted(X, "lstm", dtype="float32").encode(X, return_sequences=True).dtype == np.float64


def test_the_first_net_of_an_ensemble():
    X = block()
    np.testing.assert_array_equal(fitted(X, n_nets=3).encode(X), fitted(X).encode(X))


def test_tables():
    X = np.random.RandomState(0).randn(7, 6)
    model = RNNRegressor("gru", **SMALL, n_channels=2).fit(X, X[:, 0])
    of_block = RNNRegressor("gru", **SMALL).fit(X.reshape(7, 3, 2), X[:, 0])
    np.testing.assert_array_equal(model.encode(X), of_block.encode(X.reshape(7, 3, 2)))
    assert model.encode(X, return_sequences=True).shape == (7, 3, 3)


# -- every step ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("params", [{}, {"bidirectional": True}, {"n_layers": 2}, {"return_sequences": True}], ids=str)
@pytest.mark.parametrize("form", ["padded", "windows"])
def test_outputs_of_each_step_stand_where_it_stands_in_X(form, params, cell):
    X = padded()[0] if form == "padded" else windows()
    dense = np.asarray(X)
    valid = ~np.isnan(dense).all(axis=2)
    y = np.random.RandomState(1).randn(*dense.shape[: 2 if "return_sequences" in params else 1])
    model = RNNRegressor(cell, **SMALL | params).fit(X, y)
    outputs = model.encode(X, return_sequences=True)
    assert outputs.shape == (*dense.shape[:2], 6 if model.bidirectional else 3)
    np.testing.assert_array_equal(np.isfinite(outputs).all(axis=2), valid)
    for i in range(len(X)):
        expected, _, _ = by_torch(model, cell, dense[i, valid[i]])
        np.testing.assert_allclose(outputs[i, valid[i]], expected, rtol=1e-9)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_outputs_of_ragged_sequences(bidirectional):
    X = ragged()
    model = fitted(X, bidirectional=bidirectional)
    outputs, lengths = model.encode(X, return_sequences=True)
    assert lengths.tolist() == [3, 5, 1, 7, 5, 2]
    assert outputs.shape == (6, 7, 6 if bidirectional else 3)
    for i in range(6):
        assert np.isnan(outputs[i, lengths[i] :]).all()
        expected, _, _ = by_torch(model, "gru", X[i])
        np.testing.assert_allclose(outputs[i, : lengths[i]], expected, rtol=1e-9)


def test_ragged_sequences_with_padding_of_their_own_begin_at_step_0():
    X = ragged()
    model = fitted(X)
    framed = [np.r_[np.full((2, 2), NAN), sequence, np.full((1, 2), NAN)] for sequence in X]
    outputs, lengths = model.encode(framed, return_sequences=True)
    expected, of_trimmed = model.encode(X, return_sequences=True)
    assert outputs.shape == (6, 10, 3)
    assert lengths.tolist() == of_trimmed.tolist()
    np.testing.assert_allclose(outputs[:, :7], expected, rtol=1e-9)
    assert np.isnan(outputs[:, 7:]).all()


@pytest.mark.parametrize("patch_size, n_patches", [(2, 4), (3, 3), (7, 1)])
def test_patches(patch_size, n_patches):
    """The last patch ends on the last valid step; padding in front leaves the first patches out."""
    X = padded()[0][[0, 1, 4]]  # complete, and two steps of padding in front
    model = RNNRegressor("gru", **SMALL, patch_size=patch_size).fit(X, [1.0, 2.0, 5.0])
    outputs = model.encode(X, return_sequences=True)
    assert outputs.shape == (3, n_patches, 3)
    left_out = n_patches - -(-5 // patch_size)
    assert np.isnan(outputs[1]).all(axis=1).tolist() == [True] * left_out + [False] * (n_patches - left_out)
    assert np.isfinite(outputs[[0, 2]]).all()
    np.testing.assert_allclose(outputs[:, -1], model.encode(X), rtol=1e-9)
    alone = model.encode(X[1:2, 2:], return_sequences=True)
    np.testing.assert_allclose(outputs[1, left_out:], alone[0], rtol=1e-9)
    ragged_outputs, lengths = model.encode([X[0], X[1, 2:]], return_sequences=True)
    assert lengths.tolist() == [n_patches, n_patches - left_out]
    np.testing.assert_allclose(ragged_outputs[1, : lengths[1]], alone[0], rtol=1e-9)


def test_the_last_output_is_the_final_state():
    X, valid = padded()
    model = fitted(X, "lstm", conv_channels=5, input_dropout=0.3)
    outputs, (h, _) = model.encode(X, return_sequences=True), model.encode(X)
    last = 6 - valid[:, ::-1].argmax(axis=1)
    np.testing.assert_allclose(outputs[np.arange(11), last], h, rtol=1e-9)
    np.testing.assert_array_equal(model.encode(X)[0], h)  # nothing is dropped


# -- both ----------------------------------------------------------------------------------------------------------


def test_the_estimator_and_X_stay_as_they_were():
    X, _ = padded()
    model = fitted(X, "lstm")
    before, expected, copied = dict(vars(model)), model.predict(X), X.copy()
    model.encode(X)
    model.encode(X, return_sequences=True)
    model.summary()
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())
    np.testing.assert_array_equal(X, copied)
    np.testing.assert_array_equal(model.predict(X), expected)


def test_refusals():
    X, _ = padded()
    for call in (lambda model: model.encode(X), lambda model: model.summary()):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            call(RNNRegressor())
    model = fitted(X)
    with pytest.raises(ValueError, match="X has 1 channels, but 2 were expected"):
        model.encode(X[:, :, :1])
    with pytest.raises(ValueError, match="but X is a 2-D table"):
        model.encode(X[:, 0], return_sequences=True)
    with pytest.raises(TypeError, match="positional"):
        model.encode(X, True)


def test_more_rows_than_are_read_at_once():
    X = block(2500)
    model = fitted(X)
    lengths = np.random.RandomState(0).randint(1, 6, 2500)
    sequences = [sequence[:n_steps] for sequence, n_steps in zip(X, lengths, strict=True)]
    states = model.encode(sequences)
    chosen = np.arange(3, 2500, 311)
    np.testing.assert_allclose(model.encode([sequences[i] for i in chosen]), states[chosen], rtol=1e-9)
    outputs, found = model.encode(sequences, return_sequences=True)
    assert found.tolist() == lengths.tolist()
    np.testing.assert_allclose(outputs[np.arange(2500), lengths - 1], states, rtol=1e-9)


# -- summary -------------------------------------------------------------------------------------------------------


def test_summary_of_a_plain_net():
    X = block(n_channels=2)
    table = fitted(X, "lstm").summary()
    assert isinstance(table, pd.DataFrame)
    assert table.columns.tolist() == ["part", "kind", "output_shape", "n_parameters"]
    assert table["kind"].tolist() == ["LSTM", "Linear", ""]
    assert table["output_shape"].tolist() == ["(batch, 5, 3)", "(batch, 1)", ""]
    assert table["n_parameters"].tolist() == [4 * 3 * (2 + 3 + 2), 4, 88]
    assert table["part"].iloc[-1] == "total"


@pytest.mark.parametrize(
    "params, shapes",
    [
        ({"bidirectional": True}, ["(batch, 5, 3)", "(batch, 5, 3)", "(batch, 2)"]),
        ({"conv_channels": 7}, ["(batch, 5, 7)", "(batch, 5, 3)", "(batch, 2)"]),
        ({"patch_size": 2}, ["(batch, 3, 3)", "(batch, 3, 3)", "(batch, 2)"]),
        ({"layer_norm": True, "pooling": "mean_max"}, ["(batch, 5, 3)", "(batch, 6)", "(batch, 2)"]),
        ({"pooling": "attention"}, ["(batch, 5, 3)", "(batch, 5, 3)", "(batch, 5, 1)", "(batch, 2)"]),
        ({"loss": "quantile"}, ["(batch, 5, 3)", "(batch, 6)"]),
        ({"return_sequences": True}, ["(batch, 5, 3)", "(batch, 5, 2)"]),
        ({"n_nets": 2, "n_layers": 2, "dropout": 0.1}, ["(batch, 5, 3)", "(batch, 5, 3)", "(batch, 2)"]),
    ],
    ids=str,
)
def test_summary_in_the_order_of_the_batch(params, shapes):
    X = block()
    y = np.random.RandomState(1).randn(11, *([5] if "return_sequences" in params else []), 2)
    model = RNNRegressor("gru", **SMALL | params).fit(X, y)
    table = model.summary()
    assert table["output_shape"].tolist()[:-1] == shapes
    n_weights = sum(parameter.numel() for parameter in model.net_.module_.parameters())
    assert table["n_parameters"].iloc[-1] == table["n_parameters"].iloc[:-1].sum() == n_weights
    names = dict(model.net_.module_.named_modules())
    for part, kind in zip(table["part"][:-1], table["kind"][:-1], strict=True):
        assert type(names[part]).__name__ == kind
    assert not any(module._forward_hooks for module in names.values())
