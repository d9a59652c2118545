"""A padded or ragged row predicts what it predicts alone, however it is handed over."""

import itertools

import numpy as np
import pytest
import torch

from skrnn import RNNRegressor, Windows

WINDOW, N_CHANNELS, HIDDEN = 5, 2, 3
SCALINGS = [None, "last", "standard", "last_standard"]
NETS = list(itertools.product(["rnn", "rnn_relu", "lstm", "gru"], [False, True], [1, 2, 3]))
OPTIONS = {
    "convolution": {"conv_channels": 4},
    "patches that divide some lengths": {"patch_size": 2},
    "patches longer than most rows": {"patch_size": 4},
    "patches as long as the window": {"patch_size": 5, "n_layers": 2},
    "convolution and patches": {"conv_channels": 4, "patch_size": 2, "bidirectional": True},
    "relu in both directions": {"cell": "rnn_relu", "bidirectional": True, "n_layers": 2},
    "relu, mean": {"cell": "rnn_relu", "pooling": "mean"},
    "input dropout": {"input_dropout": 0.3, "n_layers": 2, "dropout": 0.2},
    "layer norm": {"layer_norm": True, "bidirectional": True},
    "two nets": {"n_nets": 2, "cell": "lstm"},
    "quantiles": {"loss": "quantile", "layer_norm": True},
    "absolute values": {"loss": "absolute_error", "window_scaling": "standard", "conv_channels": 3},
    **{pooling: {"pooling": pooling} for pooling in ("mean", "max", "mean_max", "attention")},
    **{
        f"{pooling}, all at once": {
            "cell": cell,
            "pooling": pooling,
            "bidirectional": True,
            "n_layers": 2,
            "conv_channels": 3,
            "patch_size": 2,
            "layer_norm": True,
            "window_scaling": "last_standard",
            "loss": "quantile",
            "n_nets": 2,
        }
        for pooling, cell in zip(
            ("last", "mean", "max", "mean_max", "attention"), ("lstm", "gru", "rnn", "lstm", "gru"), strict=True
        )
    },
}
STEPWISE = {
    "one direction": {},
    "two layers in both directions": {"bidirectional": True, "n_layers": 2},
    "lstm": {"cell": "lstm", "layer_norm": True},
    "relu and convolution": {"cell": "rnn_relu", "conv_channels": 4},
    "quantiles of two nets": {"loss": "quantile", "quantiles": (0.2, 0.6), "n_nets": 2, "bidirectional": True},
    "input dropout": {"input_dropout": 0.3},
}
PRECISION = {"float64": (1e-12, 1e-12), "float32": (1e-5, 1e-6)}  # relative, and of the spread of the predictions

each_dtype = pytest.mark.parametrize("dtype", PRECISION)
pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of 2 epochs


def two_series(n_first=13, n_second=7):
    """Windows of two series in one base, the second at another level."""
    base = np.random.RandomState(0).randn(n_first + n_second, N_CHANNELS).cumsum(axis=0)
    base[n_first:] += 10.0
    ends = np.arange(len(base))
    return Windows(base, ends, np.where(ends < n_first, 0, n_first), (ends >= n_first).astype(int), WINDOW)


def parts_of(windows):
    """Each window without its padding, an array of shape (length, n_channels)."""
    return [block[~np.isnan(block).all(axis=1)] for block in windows]


def padded(parts, n_steps, *, left):
    block = np.full((len(parts), n_steps, N_CHANNELS), np.nan)
    for row, part in zip(block, parts, strict=True):
        row[n_steps - len(part) if left else 0 :][: len(part)] = part
    return block


def object_array(parts):
    array = np.empty(len(parts), dtype=object)
    array[:] = parts
    return array


FORMS = {
    "ragged list": list,
    "lists of lists": lambda parts: [part.tolist() for part in parts],
    "object array": object_array,
    "left-padded": lambda parts: padded(parts, WINDOW, left=True),
    "right-padded": lambda parts: padded(parts, WINDOW, left=False),
    "padded further": lambda parts: padded(parts, WINDOW + 2, left=True),
    "list of padded arrays": lambda parts: list(padded(parts, WINDOW, left=False)),
}


def fitted(**params):
    """A net that learns the future of channel 1, so that its window scaling has to be undone too."""
    X = two_series()
    model = RNNRegressor(hidden_size=HIDDEN, max_epochs=2, horizon=3, random_state=0, **params)
    return model.fit(X, X.base[:, 1]), X


def assert_rows_equal_the_rows_alone(model, X, rtol=1e-6, atol=0.0):
    parts = parts_of(X)
    assert {len(part) for part in parts} == {1, 2, 3, 4, 5}
    alone = np.concatenate([model.predict(part[None]) for part in parts])
    assert alone.shape == (len(X), 3)
    assert np.ptp(alone[:, 0]) > 0.1
    np.testing.assert_allclose(model.predict(X), alone, rtol, atol, err_msg="Windows")
    np.testing.assert_allclose(model.predict(X[::-3]), alone[::-3], rtol, atol, err_msg="some of the windows")
    for name, form in FORMS.items():
        np.testing.assert_allclose(model.predict(form(parts)), alone, rtol, atol, err_msg=name)
    full = [len(part) == WINDOW for part in parts]
    block = np.stack([part for part, whole in zip(parts, full, strict=True) if whole])
    np.testing.assert_allclose(model.predict(block), alone[full], rtol, atol, err_msg="dense block")


@pytest.mark.parametrize("cell, bidirectional, n_layers", NETS)
def test_every_net(cell, bidirectional, n_layers):
    model, X = fitted(cell=cell, bidirectional=bidirectional, n_layers=n_layers)
    assert model.target_channels_.tolist() == [1]
    assert_rows_equal_the_rows_alone(model, X)


@pytest.mark.parametrize("target_channels", [None, [0]], ids=["found", "another channel"])
@pytest.mark.parametrize("window_scaling", SCALINGS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_window_scaling(window_scaling, bidirectional, target_channels):
    model, X = fitted(
        cell="gru",
        bidirectional=bidirectional,
        window_scaling=window_scaling,
        target_channels=target_channels,
    )
    assert_rows_equal_the_rows_alone(model, X)


@pytest.mark.parametrize("window_scaling", SCALINGS)
def test_single_precision(window_scaling):
    model, X = fitted(cell="lstm", bidirectional=True, window_scaling=window_scaling, dtype="float32")
    assert model.dtype_ == np.float32
    assert_rows_equal_the_rows_alone(model, X, rtol=1e-6, atol=1e-6 * X.base.std())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("window_scaling", [None, "standard"])
def test_fits_on_padded_forms_are_the_same(form, window_scaling):
    """Statistics and gradients leave padding out, too."""
    parts = parts_of(two_series())
    y = np.array([part.sum() for part in parts])
    params = {"hidden_size": HIDDEN, "max_epochs": 3, "random_state": 0, "window_scaling": window_scaling}
    of_list = RNNRegressor(**params).fit(parts, y).predict(parts)
    of_form = RNNRegressor(**params).fit(FORMS[form](parts), y).predict(parts)
    np.testing.assert_allclose(of_form, of_list, rtol=1e-9)


def test_more_rows_than_are_predicted_at_once():
    """Long predictions are cut into batches, each trimmed to its longest row."""
    model, X = fitted(cell="gru", bidirectional=True)
    many = np.resize(np.arange(len(X)), 2500)
    many.sort()  # short rows share a batch
    np.testing.assert_allclose(model.predict(X[many]), model.predict(X)[many], rtol=1e-9)


# -- every option of the net ---------------------------------------------------------------------------------------


def assert_alike(ours, alone, dtype, name):
    relative, of_spread = PRECISION[dtype]
    np.testing.assert_allclose(ours, alone, relative, of_spread * max(1.0, np.ptp(alone)), err_msg=name)


@each_dtype
@pytest.mark.parametrize("name", OPTIONS)
def test_every_option(name, dtype):
    model, X = fitted(**{"cell": "gru", **OPTIONS[name]}, dtype=dtype)
    assert model.dtype_ == np.dtype(dtype)
    parts = parts_of(X)
    order = np.random.RandomState(1).permutation(len(X))
    ways = [model.predict]
    if model.loss == "quantile":
        ways.append(model.predict_quantiles)
    if model.n_nets > 1:
        ways.append(lambda rows: np.stack(model.predict(rows, return_std=True)).swapaxes(0, 1))
    for predict in ways:
        alone = np.concatenate([predict(part[None]) for part in parts])
        assert np.ptp(alone[:, 0]) > 0.1
        assert_alike(predict(X), alone, dtype, "Windows")
        assert_alike(predict(X[order]), alone[order], dtype, "in another order")
        assert_alike(predict(X[::3]), alone[::3], dtype, "in other company")
        for form_name, form in FORMS.items():
            assert_alike(predict(form(parts)), alone, dtype, form_name)


@pytest.mark.parametrize("name", OPTIONS)
def test_gradients_of_a_batch_are_those_of_its_rows_alone(name):
    """So padding does not train, and a fit does not depend on which rows share a batch."""
    model, _ = fitted(**{"cell": "gru", **OPTIONS[name]}, dtype="float64")
    module = model.net_.module_.eval()
    lengths = torch.tensor([2, 5, 1, 3, 4])
    x = torch.randn(5, WINDOW, N_CHANNELS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = x * (torch.arange(WINDOW) < lengths[:, None])[..., None]

    def gradients(x, lengths):
        outputs = module(x, lengths)
        pull = torch.linspace(-1, 1, outputs[0].numel(), dtype=torch.float64).view_as(outputs[:1])
        found = torch.autograd.grad((outputs * pull).sum(), weights)
        return torch.cat([gradient.ravel() for gradient in found])

    weights = list(module.parameters())
    together = gradients(x, lengths)
    alone = sum(gradients(x[row : row + 1, :length], None) for row, length in enumerate(lengths))
    assert together.abs().max() > 0.1
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-11)


@each_dtype
@pytest.mark.parametrize("name", STEPWISE)
def test_every_step_of_a_row_is_that_of_the_row_alone(name, dtype):
    parts = parts_of(two_series())
    y = [part.cumsum(axis=0) for part in parts]  # (length, n_outputs)
    params = {"cell": "gru", "hidden_size": HIDDEN, "return_sequences": True, "max_epochs": 2, "random_state": 0}
    model = RNNRegressor(**{**params, **STEPWISE[name]}, dtype=dtype).fit(parts, y)
    predict = model.predict_quantiles if model.loss == "quantile" else model.predict
    alone = [predict(part[None])[0] for part in parts]
    assert [row.shape[:2] for row in alone] == [(len(part), N_CHANNELS) for part in parts]
    order = np.random.RandomState(1).permutation(len(parts))
    for form_name, form in FORMS.items():
        X = form(parts)
        predicted = predict(X)
        for row, given, steps in zip(predicted, X, alone, strict=True):
            padding = np.isnan(np.asarray(given)).all(axis=1)
            assert np.isnan(row[padding]).all()
            assert_alike(row[~padding], steps, dtype, form_name)
        for row, i in zip(predict([parts[i] for i in order]), order, strict=True):
            assert_alike(row, alone[i], dtype, "in another order")


@each_dtype
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_relu"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("front", [{}, {"conv_channels": 4, "patch_size": 2}], ids=["plain", "front"])
def test_states_of_a_row_are_those_of_the_row_alone(cell, bidirectional, front, dtype):
    model, X = fitted(cell=cell, bidirectional=bidirectional, n_layers=2, **front, dtype=dtype)

    def states(rows):
        found = model.encode(rows)
        return np.concatenate(found, axis=1) if cell == "lstm" else found

    parts = parts_of(X)
    alone = np.concatenate([states(part[None]) for part in parts])
    assert alone.shape == (len(X), HIDDEN * (1 + bidirectional) * (1 + (cell == "lstm")))
    assert_alike(states(X), alone, dtype, "Windows")
    for form_name, form in FORMS.items():
        assert_alike(states(form(parts)), alone, dtype, form_name)
