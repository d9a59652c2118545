"""What keeps the prediction of one row cheap, and that of many quick: work that cannot matter is left out."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

import skrnn._predicting_estimator as predicting
import skrnn._prediction as prediction
import skrnn._sequence_estimator as sequence_estimator
import skrnn._validation as validation
from skrnn import RNNClassifier, RNNRegressor, Seq2SeqForecaster, Windows
from skrnn._prediction import FEWEST_ROWS, MOST_ROWS, MOST_STATES, rows_at_once
from skrnn._scaling import InputScaling
from skrnn._validation import check_sequences

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_size": 3, "max_epochs": 2, "early_stopping": False, "random_state": 0}
RNG = np.random.default_rng(0)
BLOCK = RNG.normal(size=(45, 5, 2))  # (n_samples, n_steps, n_channels)
TABLE = BLOCK.reshape(45, 10)
Y = BLOCK[:, -1, 0] + RNG.normal(size=45)


def net(**params):
    return RNNRegressor("gru", n_channels=2, **{**SMALL, **params})


@pytest.fixture
def checks(monkeypatch):
    """The names of scikit-learn's checks, in the order in which they run."""
    calls = []

    def count(module, name):
        check = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, **kwargs: calls.append(name) or check(*args, **kwargs))

    count(validation, "check_array")
    count(sequence_estimator, "validate_data")
    count(sequence_estimator, "check_is_fitted")
    return calls


# -- scikit-learn's checks run where they could find something -----------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("X", [BLOCK, TABLE], ids=["block", "table"])
def test_a_plain_array_is_not_checked_again(X, dtype, checks):
    fitted = net().fit(X, Y)
    checks.clear()
    fitted.predict(X[-1:].astype(dtype))
    assert checks == []


@pytest.mark.parametrize("kind", [RNNClassifier, Seq2SeqForecaster])
def test_every_estimator_has_the_short_way(kind, checks):
    fitted = kind("gru", **SMALL).fit(BLOCK, (Y > 0).astype(float))
    checks.clear()
    fitted.predict(BLOCK[-1:])
    assert checks == []


@pytest.mark.parametrize(
    "form",
    [
        lambda X: X.astype(np.float16),
        lambda X: X.astype(np.int64),
        lambda X: X.astype(object),
        lambda X: X.astype(">f8"),
        lambda X: np.ma.MaskedArray(X),
    ],
    ids=["float16", "int", "object", "big endian", "masked"],
)
@pytest.mark.parametrize("X", [BLOCK, TABLE], ids=["block", "table"])
def test_any_other_array_is_checked_and_gives_the_same(X, form, checks):
    whole = np.round(4 * X)
    fitted = net().fit(whole, Y)
    expected = fitted.predict(whole)
    checks.clear()
    got = fitted.predict(form(whole))
    assert len(checks) == 1
    np.testing.assert_array_equal(got, expected)


def test_a_list_of_rows_is_checked(checks):
    fitted = net().fit(TABLE, Y)
    checks.clear()
    np.testing.assert_array_equal(fitted.predict(TABLE.tolist()), fitted.predict(TABLE))
    assert checks == ["validate_data"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (TABLE[:, :8], "X has 8 features, but RNNRegressor is expecting 10 features as input"),
        (TABLE[:0], r"Found array with 0 sample\(s\) \(shape=\(0, 10\)\) while a minimum of 1 is required"),
        (np.where(TABLE == TABLE[3, 4], np.nan, TABLE), "Input X contains NaN.\nRNNRegressor does not accept"),
        (np.where(TABLE == TABLE[3, 4], -np.inf, TABLE), "Input X contains infinity or a value too large for"),
        (TABLE[0], "Expected 2D array, got 1D array instead"),
    ],
    ids=["columns", "no rows", "nan", "infinity", "1-D"],
)
def test_a_wrong_table_meets_the_check_of_scikit_learn(wrong, message):
    with pytest.raises(ValueError, match=message):
        net().fit(TABLE, Y).predict(wrong)


def test_a_wrong_block_meets_the_check_of_scikit_learn():
    with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 5, 2\)\) while a minimum of 1 is required"):
        net().fit(BLOCK, Y).predict(BLOCK[:0])


@pytest.mark.parametrize("shape", [(3, 0, 2), (3, 5, 0)])
def test_a_block_without_values_is_refused(shape):
    with pytest.raises(ValueError, match="Sequence 0 of X holds padding"):
        check_sequences(np.empty(shape))


def test_a_table_without_the_names_of_fit_is_told():
    names = [f"{channel}_lag{lag}" for lag in range(5)[::-1] for channel in "ab"]
    fitted = net().fit(pd.DataFrame(TABLE, columns=names), Y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.predict(TABLE)


def test_an_estimator_without_nets_is_not_fitted(checks):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        net().predict(BLOCK)
    assert checks == ["check_is_fitted"]


# -- rows that no sequence reads -------------------------------------------------------------------------------------


def windows(base, ends, starts, series=None):
    return Windows(base, ends, starts, np.zeros_like(ends) if series is None else series, 5)


def test_rows_that_no_window_reads_are_not_scaled(monkeypatch):
    base = RNG.normal(size=(700, 2))
    X = windows(base, np.arange(700), np.zeros(700, dtype=int))
    fitted = net(horizon=3, window_scaling="last").fit(X, base)
    expected = fitted.predict(X)
    scaled = []
    standardize = InputScaling.standardize

    def counted(self, sequences, *args, **kwargs):
        scaled.append(len(sequences.base))
        return standardize(self, sequences, *args, **kwargs)

    monkeypatch.setattr(InputScaling, "standardize", counted)
    for rows in ([699], [2, 0], [350, 348], np.arange(700)):
        np.testing.assert_allclose(fitted.predict(X[rows]), expected[rows], rtol=1e-5)
    assert scaled == [5, 3, 7, 700]


@pytest.mark.parametrize("scaling", ["last", "first", "standard", "last_standard", None])
def test_windows_of_a_long_base_give_what_they_give_of_a_short_one(scaling):
    base = RNG.normal(size=(300, 2)).cumsum(axis=0)
    X = windows(base, np.arange(300), np.zeros(300, dtype=int))
    fitted = net(horizon=1, window_scaling=scaling).fit(X, base[:, 0])
    alone = windows(base[190:197].copy(), np.array([6]), np.array([0]))
    np.testing.assert_array_equal(fitted.predict(X[[196]]), fitted.predict(alone))


def test_a_segment_moves_with_its_rows():
    X = windows(np.arange(40.0).reshape(20, 2), np.array([14, 12]), np.array([11, 3]))
    cut = check_sequences(X).without_unread_rows()
    assert cut.first.tolist() == [3, 0]
    assert cut.last.tolist() == [6, 4]
    assert cut.segment.tolist() == [3, -5]
    assert cut.base.tolist() == X.base[8:15].tolist()


def test_values_that_no_sequence_reads_may_be_anything():
    base = RNG.normal(size=(60, 2))
    ends = np.r_[0:29, 30:60]
    starts = np.where(ends < 30, 0, 30)
    fitted = net(dtype="float32").fit(windows(base, ends, starts, starts), RNG.normal(size=59))
    odd = base.copy()
    odd[29] = np.inf, np.nan  # right behind a short window
    short = np.array([28, 31, 1]), np.array([27, 30, 0])
    np.testing.assert_array_equal(fitted.predict(windows(odd, *short)), fitted.predict(windows(base, *short)))


# -- the net -----------------------------------------------------------------------------------------------------------


def test_a_net_that_trains_is_told_to_predict_once(monkeypatch):
    fitted = net(dropout=0.5, n_layers=2).fit(BLOCK, Y)
    expected = fitted.predict(BLOCK)
    module = fitted.net_.module_.train()
    switched = []
    train = type(module).train
    monkeypatch.setattr(type(module), "train", lambda self, mode=True: switched.append(mode) or train(self, mode))
    np.testing.assert_array_equal(fitted.predict(BLOCK), expected)
    np.testing.assert_array_equal(fitted.predict(BLOCK), expected)
    assert switched == [False]


# -- how many rows at once ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hidden_size", "n_steps", "n_rows"), [(16, 20, 2048), (32, 20, 1024), (64, 48, 512)])
def test_rows_at_once_by_what_a_row_needs(hidden_size, n_steps, n_rows):
    assert rows_at_once(hidden_size, n_steps) == n_rows


def test_rows_at_once_stay_in_their_bounds():
    assert rows_at_once(1, 1) == MOST_ROWS
    assert rows_at_once(1000, 1000) == FEWEST_ROWS
    exactly = MOST_STATES // MOST_ROWS
    assert rows_at_once(exactly, 1) == MOST_ROWS
    assert rows_at_once(exactly + 1, 1) == MOST_ROWS // 2


@pytest.fixture
def batches(monkeypatch):
    """How many rows each batch has that a net of the estimators predicts."""
    sizes = []
    run = prediction.run_in_batches

    def counted(function, *args):
        return run(lambda x, lengths: sizes.append(len(x)) or function(x, lengths), *args)

    monkeypatch.setattr(predicting, "run_in_batches", counted)
    return sizes


def test_a_batch_has_so_many_rows(batches):
    X = RNG.normal(size=(2500, 5, 2))
    fitted = net().fit(X[:40], X[:40, -1, 0])
    expected = fitted.predict(X)
    assert batches == [2048, 452]
    batches.clear()
    pieces = np.concatenate([fitted.predict(part) for part in np.split(X, [1, 8, 700])])
    assert batches == [1, 7, 692, 1800]
    np.testing.assert_allclose(pieces, expected, rtol=1e-12, atol=1e-12)


def test_one_long_sequence_does_not_make_batches_of_short_ones_small(batches):
    X = [RNG.normal(size=(3, 2)) for _ in range(2100)]
    X[7] = RNG.normal(size=(200, 2))
    fitted = net(hidden_size=7).fit(X[:40], RNG.normal(size=40))
    batches.clear()
    assert rows_at_once(7, 200) == FEWEST_ROWS
    fitted.predict(X)
    assert batches[0] == MOST_ROWS
