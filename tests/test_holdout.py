"""Which rows judge a fit: the purged end of each series, a shuffled share of unrelated rows, or what the user says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, KFold, TimeSeriesSplit

from skrnn import RNNRegressor, Windows
from skrnn._holdout import check_validation, hold_out
from skrnn._validation import check_sequences


def panel(*sizes, holes=()):
    """Sequences of series of these sizes in one base; row i of the base is sample i."""
    n_rows = sum(sizes)
    ends = np.arange(n_rows)
    borders = np.cumsum([0, *sizes])
    series = np.searchsorted(borders, ends, side="right") - 1
    pieces = np.array(sorted({*borders[:-1], *holes}))
    starts = pieces[np.searchsorted(pieces, ends, side="right") - 1]
    return check_sequences(Windows(np.ones((n_rows, 2)), ends, starts, series, 3))


def unrelated(n_samples):
    return check_sequences(np.ones((n_samples, 3, 2)))


def split(sequences, validation="auto", reach=1, known=None, seed=0):
    known = np.arange(len(sequences)) if known is None else np.asarray(known)
    y = np.arange(len(sequences), dtype=float)[:, None]
    train, valid = hold_out(sequences, known, y, validation, reach, np.random.RandomState(seed))
    assert (np.diff(train) > 0).all()
    assert (np.diff(valid) > 0).all()
    return train.tolist(), valid.tolist()


# -- windows of series ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("validation", ["auto", "tail"])
def test_last_tenth_of_one_series(validation):
    train, valid = split(panel(70), validation)
    assert valid == list(range(63, 70))
    assert train == list(range(63))


@pytest.mark.parametrize("reach, n_purged", [(0, 0), (1, 0), (2, 1), (5, 4)])
def test_rows_whose_targets_reach_into_the_tail_are_left_out(reach, n_purged):
    train, valid = split(panel(70), reach=reach)
    assert valid == list(range(63, 70))
    assert train == list(range(63 - n_purged))


def test_tail_of_each_series_by_its_own_length():
    train, valid = split(panel(30, 50, 20), reach=3)
    assert valid == [*range(27, 30), *range(75, 80), *range(98, 100)]
    assert train == [*range(25), *range(30, 73), *range(80, 96)]


def test_tail_is_the_latest_in_time_whatever_the_order_of_rows():
    sequences = panel(30, 50)
    order = np.random.RandomState(3).permutation(80)
    train, valid = split(sequences.take(order), reach=2)
    assert sorted(order[valid]) == [*range(27, 30), *range(75, 80)]
    assert sorted(order[train]) == [*range(26), *range(30, 74)]


def test_only_labelled_rows_are_counted():
    known = np.arange(0, 70, 7)
    train, valid = split(panel(70), known=known, validation=0.2, reach=8)
    assert valid == [56, 63]
    assert train == [0, 7, 14, 21, 28, 35, 42]  # 49's target may lie 8 rows on, at 57


@pytest.mark.parametrize("validation, n_valid", [(0.1, 7), (0.5, 35), (0.29, 20)])
def test_fraction(validation, n_valid):
    assert split(panel(70), validation)[1] == list(range(70 - n_valid, 70))
    assert len(split(unrelated(70), validation)[1]) == n_valid


@pytest.mark.parametrize("n_rows", [2, 3, 4])
def test_a_single_short_series_gives_its_last_row(n_rows):
    assert split(panel(n_rows)) == ([*range(n_rows - 1)], [n_rows - 1])


def test_of_many_short_series_some_judge_as_a_whole():
    sequences = panel(*[3] * 50)
    train, valid = split(sequences)
    judges = np.unique(sequences.series[valid])
    assert len(judges) == 5
    assert set(valid) == set(np.flatnonzero(np.isin(sequences.series, judges)))
    assert set(train) == set(range(150)) - set(valid)
    assert split(sequences, seed=1)[1] != valid  # drawn, not the first or last five


def test_short_series_train_where_long_ones_can_judge():
    train, valid = split(panel(3, 50, 2))
    assert valid == list(range(48, 53))
    assert train == [*range(48), 53, 54]


@pytest.mark.parametrize("sequences", [panel(70), panel(30, 40)], ids=["series", "panel"])
def test_shuffling_overlapping_windows_is_refused(sequences):
    with pytest.raises(ValueError, match="'shuffle' would judge overlapping windows.*validation='tail'.*X_val"):
        split(sequences, "shuffle")


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    reach=st.integers(0, 6),
    fraction=st.sampled_from(["auto", "tail", 0.1, 0.3]),
    seed=st.integers(0, 10**6),
)
def test_train_and_valid_are_disjoint_and_no_training_target_lies_in_the_tail(sizes, reach, fraction, seed):
    rng = np.random.RandomState(seed)
    n_rows = sum(sizes)
    sequences = panel(*sizes, holes=rng.choice(n_rows, rng.randint(0, 3)).tolist())
    known = np.sort(rng.permutation(n_rows)[: rng.randint(1, n_rows + 1)])
    try:
        train, valid = split(sequences, fraction, reach, known)
    except ValueError:  # nothing left to train on, or to judge: see the errors below
        assert len(known) <= max(reach, 1) * len(sizes) + len(known) * 0.7
        return
    assert not set(train) & set(valid)
    assert set(train) | set(valid) <= set(known)
    for series in np.unique(sequences.series[valid]):
        first = sequences.last[valid][sequences.series[valid] == series].min()
        of_series = sequences.last[train][sequences.series[train] == series]
        assert (of_series + max(reach, 1) - 1 < first).all()
        purged = set(sequences.last[known][sequences.series[known] == series]) - set(of_series)
        assert min(purged) > first - max(reach, 1)  # no more left out than need be


# -- sequences that have nothing to do with each other -------------------------------------------------------------


@pytest.mark.parametrize("validation", ["auto", "shuffle"])
def test_unrelated_rows_are_shuffled(validation):
    sequences = unrelated(70)
    train, valid = split(sequences, validation)
    assert len(valid) == 7
    assert valid != list(range(63, 70))
    assert sorted(train + valid) == list(range(70))
    assert split(sequences, validation) == (train, valid)  # by the seed alone
    assert split(sequences, validation, seed=1) != (train, valid)


def test_tail_of_unrelated_rows():
    assert split(unrelated(30), "tail") == (list(range(27)), [27, 28, 29])


# -- splitters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sequences", [panel(30), unrelated(30)], ids=["windows", "unrelated"])
def test_first_split_of_a_splitter_over_the_labelled_rows(sequences):
    known = np.arange(0, 30, 2)
    expected_train, expected_valid = next(KFold(3, shuffle=True, random_state=1).split(known))
    train, valid = split(sequences, KFold(3, shuffle=True, random_state=1), known=known)
    assert train == known[expected_train].tolist()
    assert valid == known[expected_valid].tolist()


def test_time_series_split():
    train, valid = split(panel(30), TimeSeriesSplit(2))
    assert (train, valid) == (list(range(10)), list(range(10, 20)))


# -- errors --------------------------------------------------------------------------------------------------------


def test_nothing_left_to_train_on():
    with pytest.raises(ValueError, match=r"leaves 0 training and 1 validation rows of 3.*early_stopping=False"):
        split(panel(3), reach=5)
    with pytest.raises(ValueError, match=r"leaves 0 training and 1 validation rows of 1"):
        split(unrelated(1), 0.5)


@pytest.mark.parametrize("good", ["auto", "tail", "shuffle", 0.2, np.float32(0.5), KFold(2), GroupKFold(2)])
def test_validation_accepted(good):
    check_validation(good)


@pytest.mark.parametrize("bad", ["head", 0, 1, 1.0, -0.1, True, None, [0.1], np.nan])
def test_validation_refused(bad):
    with pytest.raises(ValueError, match="`validation` must be 'auto', 'tail', 'shuffle', a fraction.*got"):
        check_validation(bad)


# -- through the estimator -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The loss still fell")
@pytest.mark.parametrize("n_rows, held_out", [(499, False), (500, True)])
def test_auto_holds_out_from_500_known_rows_on(n_rows, held_out):
    X = np.random.RandomState(0).randn(n_rows + 20, 3, 2)
    y = X.sum(axis=(1, 2))
    y[::26] = np.nan  # 20 of 520 or of 519
    assert (~np.isnan(y)).sum() == n_rows
    model = RNNRegressor("rnn", hidden_size=2, max_epochs=1, random_state=0).fit(X, y)
    assert ("valid_loss" in model.history_) is held_out
    assert np.isnan(model.skill_) is not held_out


@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_held_out_rows_neither_train_nor_scale():
    """The same fit with their targets made absurd, and then their inputs too."""
    rng = np.random.RandomState(0)
    rows = rng.randn(40, 2).cumsum(axis=0)
    X = Windows(rows, np.arange(40), np.zeros(40), np.zeros(40), 3)
    y = rng.randn(40)
    params = {"cell": "rnn", "hidden_size": 2, "max_epochs": 1, "random_state": 0, "validation": 0.25}
    model = RNNRegressor(**params, early_stopping=True, lr_schedule=None)
    expected = model.fit(X, y).predict(X[:20])
    y[30:] = 1e6
    np.testing.assert_array_equal(model.fit(X, y).predict(X[:20]), expected)
    rows[30:] = 1e6
    np.testing.assert_array_equal(model.fit(X, y).predict(X[:20]), expected)
