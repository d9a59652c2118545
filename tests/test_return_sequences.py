"""`return_sequences=True`: a target and a prediction at each step, in the form that X and y have."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import r2_score as sklearn_r2
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline

from skrnn import RNNRegressor, SlidingWindowTransformer, Windows, future_targets, past_targets
from skrnn.datasets import make_copy_task, make_reversal_task
from skrnn.metrics import mae_scorer, mse_scorer, r2_scorer

pytestmark = [
    pytest.mark.filterwarnings("ignore:The loss still fell"),  # nets of few epochs
    pytest.mark.filterwarnings("ignore:Only .* of the .* windows hold all of their"),
]

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "return_sequences": True, "random_state": 0}
NAN = np.nan


def block(n_samples=11, n_steps=5, n_channels=2, seed=0):
    return np.random.RandomState(seed).randn(n_samples, n_steps, n_channels)


def padded():
    """Leading, trailing and both kinds of padding, and what is valid."""
    X = block()
    X[1, :2] = X[2, 3:] = X[3, :1] = X[3, 4:] = NAN
    return X, ~np.isnan(X).all(axis=2)


def ragged(n_samples=13, n_channels=2, seed=0):
    rng = np.random.RandomState(seed)
    return [rng.randn(n_steps, n_channels) for n_steps in rng.randint(1, 8, n_samples)]


def totals(sequences):
    """The sum of everything so far, for each step."""
    return [np.nansum(sequence, axis=1).cumsum() for sequence in sequences]


def walk(n_rows=31, n_channels=2, seed=0):
    return np.random.RandomState(seed).randn(n_rows, n_channels).cumsum(axis=0)


def windows(rows, window=5, border=None):
    """Windows of one series, or of two where there is a border."""
    n_rows = len(rows)
    border = n_rows if border is None else border
    second = np.arange(n_rows) >= border
    return Windows(rows, np.arange(n_rows), np.where(second, border, 0), second.astype(int), window)


def weights_of(model):
    return torch.nn.utils.parameters_to_vector(model.net_.module_.parameters()).detach().numpy()


def assert_same_net(first, second):
    np.testing.assert_array_equal(weights_of(first), weights_of(second))


# -- shapes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [(), (1,), (3,)], ids=str)
def test_predictions_have_the_shape_of_y(outputs):
    X, y = block(), np.random.RandomState(1).randn(11, 5, *outputs)
    model = RNNRegressor(**SMALL).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == y.shape
    assert predicted.dtype == np.float64
    assert np.isfinite(predicted).all()
    assert model.predict(X[:2, :3]).shape == (2, 3, *outputs)  # shorter sequences than in fit
    assert model.predict(block(n_steps=7)).shape == (11, 7, *outputs)
    assert isinstance(model.score(X, y), float)
    np.testing.assert_allclose(model.predict(X[:2]), predicted[:2], rtol=1e-9)


@pytest.mark.parametrize("outputs", [(), (2,)], ids=str)
def test_padding_is_nan_where_it_stands_in_X(outputs):
    X, valid = padded()
    y = np.random.RandomState(1).randn(11, 5, *outputs)
    model = RNNRegressor(**SMALL).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == y.shape
    np.testing.assert_array_equal(
        np.isfinite(predicted), np.broadcast_to(valid.reshape(11, 5, *[1] * len(outputs)), y.shape)
    )
    for i in range(11):  # each as it is alone
        np.testing.assert_allclose(model.predict(X[i : i + 1, valid[i]])[0], predicted[i, valid[i]], rtol=1e-9)


@pytest.mark.parametrize("n_outputs", [None, 1, 3])
def test_ragged_predictions_are_one_array_for_each_sequence(n_outputs):
    X = ragged()
    y = totals(X) if n_outputs is None else [np.stack([steps] * n_outputs, axis=1) for steps in totals(X)]
    model = RNNRegressor(**SMALL).fit(X, y)
    predicted = model.predict(X)
    assert isinstance(predicted, np.ndarray)
    assert predicted.dtype == object
    assert predicted.shape == (13,)
    assert [steps.shape for steps in predicted] == [steps.shape for steps in y]
    assert {steps.dtype for steps in predicted} == {np.dtype(float)}
    for i in range(13):
        np.testing.assert_allclose(model.predict([X[i]])[0], predicted[i], rtol=1e-9)


def test_ragged_with_padding_of_its_own():
    X = [np.r_[NAN, 1.0, 2.0], np.r_[3.0, 5.0], np.r_[7.0, 1.0, 4.0, NAN, NAN]]
    y = [np.r_[NAN, 1.0, 3.0], np.r_[3.0, 8.0], np.r_[7.0, 8.0, 12.0, 99.0, NAN]]
    model = RNNRegressor(**SMALL).fit(X, y)
    predicted = model.predict(X)
    assert [np.isnan(steps).tolist() for steps in predicted] == [np.isnan(sequence).tolist() for sequence in X]
    trimmed = [sequence[~np.isnan(sequence)] for sequence in X]
    alone = RNNRegressor(**SMALL).fit(trimmed, [np.r_[1.0, 3.0], y[1], np.r_[7.0, 8.0, 12.0]])
    assert_same_net(model, alone)
    for ours, theirs in zip(predicted, alone.predict(trimmed), strict=True):
        np.testing.assert_array_equal(ours[~np.isnan(ours)], theirs)


def test_ragged_and_padded_block_are_the_same():
    X = ragged()
    longest = max(map(len, X))
    for front in (True, False):
        dense, targets = np.full((13, longest, 2), NAN), np.full((13, longest), NAN)
        for i, (sequence, steps) in enumerate(zip(X, totals(X), strict=True)):
            place = slice(longest - len(sequence), None) if front else slice(len(sequence))
            dense[i, place], targets[i, place] = sequence, steps
        of_block, of_list = RNNRegressor(**SMALL).fit(dense, targets), RNNRegressor(**SMALL).fit(X, totals(X))
        assert_same_net(of_block, of_list)
        assert of_block.score(dense, targets) == pytest.approx(of_list.score(X, totals(X)))
        for ours, theirs in zip(of_block.predict(dense), of_list.predict(X), strict=True):
            np.testing.assert_array_equal(ours[~np.isnan(ours)], theirs)


@pytest.mark.parametrize("n_channels, n_steps", [(None, 6), (2, 3), (3, 2)])
def test_a_table_has_a_target_for_each_of_its_steps(n_channels, n_steps):
    X = np.random.RandomState(0).randn(7, 6)
    y = X.reshape(7, n_steps, -1).sum(axis=2).cumsum(axis=1)
    of_table = RNNRegressor(**SMALL, n_channels=n_channels).fit(X, y)
    of_block = RNNRegressor(**SMALL).fit(X.reshape(7, n_steps, -1), y)
    assert of_table.predict(X).shape == (7, n_steps)
    np.testing.assert_array_equal(of_table.predict(X), of_block.predict(X.reshape(7, n_steps, -1)))


@pytest.mark.parametrize("n_outputs", [None, 3])
def test_windows_of_a_view(n_outputs):
    rows = walk()
    targets = np.random.RandomState(1).randn(31) if n_outputs is None else np.random.RandomState(1).randn(31, n_outputs)
    X = SlidingWindowTransformer(5).fit_transform(rows)
    assert isinstance(X, np.ndarray)
    y = past_targets(targets, 5)
    model = RNNRegressor(**SMALL).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == y.shape
    np.testing.assert_array_equal(np.isnan(predicted), np.isnan(y))  # the padding of the first four rows
    dense = windows(rows)
    assert_same_net(model, RNNRegressor(**SMALL).fit(dense, y))
    np.testing.assert_array_equal(model.predict(dense), predicted)


def test_windows_of_a_frame_with_holes_and_a_panel():
    rng = np.random.RandomState(0)
    index = pd.date_range("2024", periods=40, freq="h").delete([11, 12, 25])
    frame = pd.DataFrame(rng.randn(37, 2), columns=["a", "b"], index=index)
    panel = pd.DataFrame({"a": rng.randn(24), "b": rng.randn(24), "shop": rng.permutation(np.repeat([3, 5, 7], 8))})
    panel["day"] = panel.groupby("shop").cumcount()
    for table, keys in ((frame, {}), (panel, {"group": "shop", "time": "day"})):
        y = past_targets(table[["a", *keys.values()]], 5, **keys)
        X = SlidingWindowTransformer(5, **keys).fit_transform(table)
        with pytest.warns(UserWarning, match=r"y equals channel 0.*past_targets\(future_targets\(y, 1\), window\)"):
            model = RNNRegressor(**SMALL).fit(X, y)
        assert isinstance(X, Windows)
        np.testing.assert_array_equal(np.isnan(model.predict(X)), np.isnan(np.asarray(y)))
        chosen = np.arange(len(X))[::-3]
        np.testing.assert_allclose(model.predict(X[chosen]), model.predict(X)[chosen], rtol=1e-9)


def test_exactness_against_a_loop():
    """Standardise, step by step through torch's cell, linear head, back into the units of y."""
    X, valid = padded()
    y = np.where(valid, np.nansum(X, axis=2).cumsum(axis=1) * 5 + 70, 1e9)  # what stands at padding means nothing
    y[5, 2] = NAN
    model = RNNRegressor(**SMALL | {"dtype": "float64"}).fit(X, y)
    known = valid & ~np.isnan(y)
    mean, scale = X[valid].mean(axis=0), X[valid].std(axis=0)
    recurrence, linear = model.net_.module_.encoder.recurrent.recurrences[0], model.net_.module_.head.linear
    cell = torch.nn.GRUCell(2, 3, dtype=torch.float64)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in recurrence.state_dict().items()})
    expected = np.full(y.shape, NAN)
    with torch.no_grad():
        for i in range(len(X)):
            state = torch.zeros(1, 3, dtype=torch.float64)
            for t in np.flatnonzero(valid[i]):
                state = cell(torch.from_numpy((X[i, t] - mean) / scale)[None], state)
                expected[i, t] = float(linear(state)) * y[known].std() + y[known].mean()
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-9)


def test_the_loss_is_the_mean_over_the_known_steps():
    X, valid = padded()
    y = np.where(valid, np.nansum(X, axis=2), NAN)
    y[7, 3] = NAN
    model = RNNRegressor(**SMALL, lr=1e-12, standardize=False).fit(X, y)
    error = (model.predict(X) - y)[~np.isnan(y)]
    assert model.history_["train_loss"].iloc[-1] == pytest.approx((error**2).mean())
    assert model.history_["train_mae"].iloc[-1] == pytest.approx(np.abs(error).mean())


# -- what does not train -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [3, "auto"])
def test_targets_at_padding_do_not_train(batch_size):
    X, valid = padded()
    y = np.random.RandomState(1).randn(11, 5, 2)
    other = np.where(valid[..., None], y, 1e6)
    params = SMALL | {"batch_size": batch_size}
    first, second = RNNRegressor(**params).fit(X, y), RNNRegressor(**params).fit(X, other)
    assert_same_net(first, second)
    assert first.score(X, y) == second.score(X, other)


def test_unknown_steps_do_not_train():
    """Values of X after the last known step of a sequence cannot matter, where the net only looks back."""
    X, y = block(), np.random.RandomState(1).randn(11, 5)
    y[4, 3:] = NAN
    y[6] = NAN
    params = SMALL | {"standardize": False}
    expected = RNNRegressor(**params).fit(X, y)
    changed = X.copy()
    changed[4, 3:] += 9
    changed[6] -= 9
    np.testing.assert_allclose(weights_of(RNNRegressor(**params).fit(changed, y)), weights_of(expected), rtol=1e-12)
    changed[4, 2] += 9
    assert not np.allclose(weights_of(RNNRegressor(**params).fit(changed, y)), weights_of(expected), rtol=1e-3)


def test_an_unknown_output_does_not_train():
    X, y = block(), np.random.RandomState(1).randn(11, 5, 2)
    y[:5, :, 1] = NAN
    model = RNNRegressor(**SMALL).fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    shifted = y + [0, 50]
    again = RNNRegressor(**SMALL).fit(X, shifted)
    np.testing.assert_allclose(again.predict(X), model.predict(X) + [0, 50], rtol=1e-7)


def test_rows_of_weight_zero_do_not_train():
    X, y = block(), np.random.RandomState(1).randn(11, 5)
    weight = np.arange(11) % 3.0
    expected = RNNRegressor(**SMALL).fit(X, y, weight)
    other = np.where(weight[:, None] == 0, 1e6, y)
    assert_same_net(RNNRegressor(**SMALL).fit(X, other, weight), expected)


def test_weights_repeat_sequences_exactly_in_one_batch():
    X, y = padded()[0], np.random.RandomState(1).randn(11, 5)
    weight = np.arange(11) % 3
    repeated = np.repeat(np.arange(11), weight)
    params = SMALL | {"max_epochs": 9, "shuffle": False}
    of_weights = RNNRegressor(**params).fit(X, y, weight).predict(X)
    of_repeats = RNNRegressor(**params).fit(X[repeated], y[repeated]).predict(X)
    np.testing.assert_allclose(of_weights, of_repeats, rtol=1e-7)


def test_windows_with_targets_at_earlier_steps_only():
    y = np.full((31, 5), NAN)
    y[:, 1] = np.random.RandomState(1).randn(31)
    model = RNNRegressor(**SMALL).fit(windows(walk()), y)
    np.testing.assert_array_equal(np.isnan(model.predict(windows(walk()))[4:]), np.zeros((27, 5)))
    assert model.score(windows(walk()), y) < 1


# -- targets beyond the rows given ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["windows", "view", "panel"])
@pytest.mark.parametrize("horizon", [1, 2, 7])
def test_targets_beyond_the_last_row_do_not_train(horizon, form):
    """The fold ends at row 20; whatever stands in y of later rows changes nothing, bit for bit."""
    rows = walk()
    border = 11 if form == "panel" else None
    group = None if border is None else np.arange(31) >= border
    y = past_targets(future_targets(rows[:, 0], horizon, group=group), 5, group=group)  # (31, 5, horizon)
    X = SlidingWindowTransformer(5).fit_transform(rows) if form == "view" else windows(rows, border=border)
    fold = slice(0, 20)
    expected = RNNRegressor(**SMALL).fit(X[fold], y[fold])
    assert expected.target_channels_.tolist() == [0] * horizon
    shown = np.arange(20)[:, None, None] - 4 + np.arange(5)[:, None] + 1 + np.arange(horizon)  # the row of each target
    leak = (shown >= 20) & ~np.isnan(y[fold])
    assert leak.any()
    absurd = y[fold].copy()
    absurd[leak] = NAN
    assert_same_net(RNNRegressor(**SMALL).fit(X[fold], absurd), expected)
    known = y[fold].copy()
    known[~leak & (shown == 19)] += 1e-3  # the last row itself does train
    assert not np.array_equal(weights_of(RNNRegressor(**SMALL).fit(X[fold], known)), weights_of(expected))


def test_changed_values_behind_the_border_do_not_train():
    """The same as a user meets it: series that differ only behind the fold."""
    rows = walk()
    nets = []
    for later in (0.0, 1e3):
        series = rows.copy()
        series[20:] += later
        y = past_targets(future_targets(series[:, 1], 3), 5)
        nets.append(RNNRegressor(**SMALL).fit(windows(series)[:20], y[:20]))
    assert_same_net(*nets)


def test_steps_that_look_beyond_are_few():
    """Of the windows that end on the last rows only those steps are unknown whose target lies behind them."""
    rows = walk()
    y = past_targets(future_targets(rows[:, 0], 2), 5)
    model = RNNRegressor(**SMALL)
    targets = model.fit(windows(rows), y)._labelled(windows(rows)[:20], y[:20], None, reset=False).targets.values
    given = y[:20].copy()
    given[19, 4] = NAN  # looks at rows 20 and 21
    given[19, 3, 1] = given[18, 4, 1] = NAN  # row 20
    for i in range(20):  # the net reads a short window from its first valid step on
        length = min(i + 1, 5)
        np.testing.assert_array_equal(targets[i, :length], given[i, 5 - length :])


def test_time_series_cross_validation_of_a_pipeline():
    frame = pd.DataFrame(walk(60), columns=["a", "b"])
    y = past_targets(future_targets(frame["a"], 1), 5)
    pipe = make_pipeline(SlidingWindowTransformer(5), RNNRegressor(**SMALL))
    scores = cross_val_score(pipe, frame, y, cv=TimeSeriesSplit(3), error_score="raise")
    assert np.isfinite(scores).all()
    pipe.fit(frame, y)
    assert pipe.score(frame, y) == pytest.approx(r2_scorer(pipe, frame, y))
    assert pipe.predict(frame).shape == y.shape == (60, 5)


# -- scores --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_outputs", [None, 2])
def test_score_is_r2_of_all_known_steps(n_outputs):
    X, valid = padded()
    y = np.random.RandomState(1).randn(11, 5, n_outputs or 1)
    y[5, 1] = NAN
    y = y[..., 0] if n_outputs is None else y
    weight = np.arange(11.0) + 1
    model = RNNRegressor(**SMALL).fit(X, y)
    known = valid.copy()
    known[5, 1] = False
    truth, predicted, of_step = y[known], model.predict(X)[known], np.repeat(weight, 5).reshape(11, 5)[known]
    assert model.score(X, y) == pytest.approx(sklearn_r2(truth, predicted))
    assert model.score(X, y, weight) == pytest.approx(sklearn_r2(truth, predicted, sample_weight=of_step))
    assert r2_scorer(model, X, y) == pytest.approx(sklearn_r2(truth, predicted))
    assert r2_scorer(model, X, y, weight) == pytest.approx(model.score(X, y, weight))
    assert mae_scorer(model, X, y) == pytest.approx(-np.abs(truth - predicted).mean())
    assert mse_scorer(model, X, y) == pytest.approx(-((truth - predicted) ** 2).mean())


def test_score_of_ragged_sequences():
    X = ragged()
    y = totals(X)
    y[3] = y[3] * NAN
    weight = np.arange(13.0) + 1
    model = RNNRegressor(**SMALL).fit(X, y, weight)
    truth, predicted = np.concatenate(y), np.concatenate(list(model.predict(X)))
    of_step = np.repeat(weight, [len(steps) for steps in y])
    known = ~np.isnan(truth)
    truth, predicted, of_step = truth[known], predicted[known], of_step[known]
    assert model.score(X, y) == pytest.approx(sklearn_r2(truth, predicted))
    assert model.score(X, y, weight) == pytest.approx(sklearn_r2(truth, predicted, sample_weight=of_step))
    assert r2_scorer(model, X, y, weight) == pytest.approx(model.score(X, y, weight))
    assert mae_scorer(model, X, y) == pytest.approx(-np.abs(truth - predicted).mean())
    assert mse_scorer(model, X, y) == pytest.approx(-((truth - predicted) ** 2).mean())


# -- around it -----------------------------------------------------------------------------------------------------


def test_cross_validation_of_ragged_sequences():
    X = ragged(17)
    y = totals(X)
    model = RNNRegressor(**SMALL)
    predicted = cross_val_predict(model, X, y, cv=3)
    assert predicted.shape == (17,)
    assert [steps.shape for steps in predicted] == [steps.shape for steps in y]
    by_hand = RNNRegressor(**SMALL).fit(X[6:], y[6:]).predict(X[:6])
    for ours, theirs in zip(predicted[:6], by_hand, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    scores = cross_val_score(model, X, y, cv=3, error_score="raise")
    assert scores[0] == RNNRegressor(**SMALL).fit(X[6:], y[6:]).score(X[:6], y[:6])
    by_scorer = cross_val_score(model, X, y, cv=3, scoring=mae_scorer, error_score="raise")
    assert (by_scorer < 0).all()


def test_grid_search_over_ragged_sequences():
    X = ragged(17)
    search = GridSearchCV(RNNRegressor(**SMALL), {"hidden_size": [2, 5], "lr": [0.01, 0.1]}, cv=2, scoring=mae_scorer)
    search.fit(X, totals(X))
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) == 4
    assert search.predict(X)[4].shape == (len(X[4]),)


@pytest.mark.parametrize("kind", [list, tuple, pd.Series, "objects"])
def test_forms_of_ragged_targets(kind):
    X = ragged(5)
    expected = RNNRegressor(**SMALL).fit(X, totals(X))
    y = totals(X)
    if kind == "objects":
        y = np.empty(5, dtype=object)
        y[:] = totals(X)
    elif kind is list:
        y = [steps.tolist() for steps in y]
    else:
        y = kind(y)
    assert_same_net(RNNRegressor(**SMALL).fit(X, y), expected)


def test_validation_tail_is_judged_at_last_steps_only():
    """The inner steps of a window are the last ones of earlier windows, some of which train."""
    rows = walk(60)
    y = past_targets(future_targets(rows[:, 0], 1), 5)
    model = RNNRegressor(**SMALL, early_stopping=True, validation=0.25, lr=1e-12).fit(windows(rows), y)
    valid = np.arange(45, 59)  # of the last quarter, 45 to 59, those whose last step has a known target
    last = y[valid, -1, 0]
    error = np.abs(model.predict(windows(rows))[valid, -1, 0] - last)
    assert model.history_["valid_mae"].iloc[-1] == pytest.approx(error.mean(), rel=1e-3)
    naive = np.abs(rows[valid, 0] - last).mean()
    assert model.skill_ == pytest.approx(1 - error.mean() / naive, rel=1e-3)


def test_validation_sets_with_a_target_for_each_step():
    X = ragged(17)
    y = totals(X)
    model = RNNRegressor(**SMALL | {"max_epochs": 5}).fit(X[5:], y[5:], X_val=X[:5], y_val=y[:5])
    error = np.abs(np.concatenate(y[:5]) - np.concatenate(list(model.predict(X[:5]))))
    best = model.history_["valid_loss"].idxmin()
    assert model.history_["valid_mae"][best] == pytest.approx(error.mean(), rel=1e-4)
    assert np.isfinite(model.skill_)


@pytest.mark.parametrize(
    "params", [{"bidirectional": True}, {"n_layers": 2, "dropout": 0.2}, {"conv_channels": 3}], ids=str
)
def test_other_options_with_it(params):
    X, valid = padded()
    y = np.random.RandomState(1).randn(11, 5)
    model = RNNRegressor(**SMALL | params, layer_norm=True, n_nets=2, input_dropout=0.1).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_array_equal(np.isfinite(mean), valid)
    np.testing.assert_array_equal(std > 0, valid)
    for i in range(4):
        np.testing.assert_allclose(model.predict(X[i : i + 1, valid[i]])[0], mean[i, valid[i]], rtol=1e-9)


def test_only_earlier_steps_decide():
    """A step's prediction is the same whatever comes after it; with a backward direction it is not."""
    X, y = block(), np.random.RandomState(1).randn(11, 5)
    later = X.copy()
    later[:, 3:] += 5
    for bidirectional in (False, True):
        model = RNNRegressor(**SMALL, bidirectional=bidirectional).fit(X, y)
        same = np.isclose(model.predict(X), model.predict(later), rtol=1e-12)
        assert same[:, :3].all() == (not bidirectional)
        assert not same[:, 3:].any()


def test_windows_tell_no_step_of_the_later_ones():
    """Scaled by its last value, a window would let earlier steps know what they are to forecast."""
    rows = walk()
    y = past_targets(future_targets(rows[:, 0], 1), 5)
    model = RNNRegressor(**SMALL).fit(windows(rows), y)
    assert model.target_channels_.tolist() == [0]
    later = rows.copy()
    later[30] += 9  # the last step of the last window
    changed = model.predict(windows(later))[30] - model.predict(windows(rows))[30]
    np.testing.assert_allclose(changed[:4], 0, atol=1e-12)
    assert np.abs(changed[4]) > 1e-3


def test_inputs_are_left_as_they_were():
    rows = walk()
    y = past_targets(future_targets(rows[:, 0], 2), 5)
    X, targets = ragged(), totals(ragged())
    copies = rows.copy(), y.copy(), [x.copy() for x in X], [t.copy() for t in targets]
    model = RNNRegressor(**SMALL).fit(windows(rows)[:20], y[:20])
    model.score(windows(rows)[:20], y[:20])
    RNNRegressor(**SMALL).fit(X, targets).score(X, targets)
    np.testing.assert_array_equal(rows, copies[0])
    np.testing.assert_array_equal(y, copies[1])
    for array, before in zip(X + targets, copies[2] + copies[3], strict=True):
        np.testing.assert_array_equal(array, before)


# -- learning ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task, cell", [(make_reversal_task, "gru"), (make_copy_task, "lstm")])
def test_values_are_said_again(task, cell):
    """Whatever remembers nothing has a mean squared error of 0.083."""
    options = {"delay": (0, 2)} if task is make_copy_task else {}
    X, y = task(400, n_values=(1, 3), random_state=0, **options)
    model = RNNRegressor(
        cell,
        hidden_size=16,
        lr=0.03,
        max_epochs=60,
        batch_size=32,
        early_stopping=False,
        return_sequences=True,
        random_state=0,
    )
    model.fit(X[:300], y[:300])
    known = ~np.isnan(y[300:])
    assert ((model.predict(X[300:]) - y[300:])[known] ** 2).mean() < 0.01


def test_cumulative_sums_of_ragged_sequences():
    X = ragged(300)
    y = totals(X)
    model = RNNRegressor(
        "gru", hidden_size=8, lr=0.03, max_epochs=40, early_stopping=False, return_sequences=True, random_state=0
    )
    assert model.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.95
