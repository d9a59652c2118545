"""A padded or ragged row predicts what it predicts alone, however it is handed over."""

import itertools

import numpy as np
import pytest

from skrnn import RNNRegressor, Windows

WINDOW, N_CHANNELS, HIDDEN = 5, 2, 3
SCALINGS = [None, "last", "standard", "last_standard"]
NETS = list(itertools.product(["rnn", "lstm", "gru"], [False, True], [1, 2, 3]))

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
