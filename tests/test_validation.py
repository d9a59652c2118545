"""Every form of X becomes the same sequences; everything else is refused with expected, got and remedy."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from skrnn import SlidingWindowTransformer, Windows
from skrnn._validation import (
    check_sequences,
    is_sequence_input,
    series_of_single_steps,
    table_sequences,
    windows_of_view,
)

NAN = np.nan


def rows_of(sequences):
    """What the sequences read, one array each."""
    pairs = zip(sequences.first, sequences.last, strict=True)
    return [sequences.base[first : last + 1] for first, last in pairs]


def assert_reads(sequences, parts):
    assert len(sequences) == len(parts)
    for got, expected in zip(rows_of(sequences), parts, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert sequences.lengths.tolist() == [len(part) for part in parts]


def view_of(n_rows=7, window=3, n_channels=2, dtype=float):
    """Windows of one series as a view: n_rows - window + 1 of them."""
    base = np.arange(n_rows * n_channels, dtype=dtype).reshape(n_rows, n_channels) + 1
    return base, sliding_window_view(base, window, axis=0).transpose(0, 2, 1)


# -- 3-D blocks ----------------------------------------------------------------------------------------------------


def test_dense_block():
    X = np.arange(30.0).reshape(5, 3, 2)
    sequences = check_sequences(X)
    assert_reads(sequences, list(X))
    assert (sequences.n_steps, sequences.n_channels, sequences.layout) == (3, 2, "sequences")
    assert not sequences.are_windows
    assert np.shares_memory(sequences.base, X)


def test_padding_is_a_leading_or_trailing_run_of_all_nan_steps():
    X = np.arange(70.0).reshape(5, 7, 2)
    X[0, :3] = X[1, 4:] = X[2, 0] = X[2, 5:] = NAN
    sequences = check_sequences(X)
    assert_reads(sequences, [X[0, 3:], X[1, :4], X[2, 1:5], X[3], X[4]])
    assert sequences.n_steps == 7


@pytest.mark.parametrize("dtype, kept", [("f4", "f4"), ("f8", "f8"), ("i8", "f8"), ("f2", "f8"), (bool, "f8")])
def test_float32_is_kept_and_other_numbers_become_float64(dtype, kept):
    X = np.ones((2, 3, 5), dtype=dtype)
    assert check_sequences(X).base.dtype == kept
    assert check_sequences([X[0], X[1, :2]]).base.dtype == kept


def test_block_in_fortran_order():
    X = np.asfortranarray(np.arange(30.0).reshape(5, 3, 2))
    assert_reads(check_sequences(X), list(X))


# -- windows -------------------------------------------------------------------------------------------------------


def test_windows_keep_their_base():
    base = np.arange(14.0).reshape(7, 2)
    X = Windows(base, [0, 3, 6, 4], [0, 0, 4, 4], [0, 0, 1, 1], 3, ("a", "b"))
    sequences = check_sequences(X)
    assert_reads(sequences, [base[:1], base[1:4], base[4:7], base[4:5]])
    assert sequences.base is base
    assert sequences.are_windows
    assert sequences.segment.tolist() == [0, 0, 4, 4]
    assert sequences.series.tolist() == [0, 0, 1, 1]
    assert sequences.channel_names == ("a", "b")


def test_view_of_windows_is_recognised_without_a_copy():
    base, X = view_of()
    sequences = check_sequences(X)
    assert sequences.are_windows
    assert np.shares_memory(sequences.base, base)
    assert_reads(sequences, list(X))
    assert set(sequences.segment) == {0}


@given(st.integers(2, 20), st.integers(2, 6), st.integers(1, 3), st.integers(1, 7), st.sampled_from(["f4", "f8"]))
def test_any_slice_of_a_view_reads_the_same(n_windows, window, n_channels, step, dtype):
    _, X = view_of(n_windows + window - 1, window, n_channels, dtype)
    assert_reads(check_sequences(X[::step]), list(X[::step]))
    windows = windows_of_view(X[::step])
    assert (windows is not None) == (step < window and len(X[::step]) > 1)
    if windows is not None:
        np.testing.assert_array_equal(windows, X[::step])


def test_view_of_some_channels_or_backwards():
    _, X = view_of(n_channels=5)
    for view in (X[:, :, 1:3], X[:, :, ::2], X[::-1], X[:, ::-1], X[:, :, ::-1], X[:, ::2]):
        assert_reads(check_sequences(view), list(view))


@pytest.mark.parametrize("cut", [slice(None), slice(1, None), slice(4, None), slice(2, 5)])
def test_padded_view_of_the_transformer(cut):
    rows = np.arange(1.0, 23.0).reshape(11, 2)
    X = SlidingWindowTransformer(5).fit_transform(rows)[cut]
    sequences = check_sequences(X)
    assert sequences.are_windows
    assert_reads(sequences, [rows[max(0, t - 4) : t + 1] for t in range(11)[cut]])


def test_memory_that_is_not_shared_is_no_view():
    _, X = view_of()
    assert windows_of_view(X.copy()) is None
    assert windows_of_view(X[[0, 2, 1]]) is None
    assert windows_of_view(X[:1]) is None  # one sample has no neighbour
    assert windows_of_view(np.ones((5, 1, 2))) is None


def test_single_steps_become_the_rows_of_one_series():
    X = np.arange(10.0).reshape(5, 1, 2)
    joined = series_of_single_steps(check_sequences(X))
    assert joined.are_windows
    assert joined.segment.tolist() == joined.series.tolist() == [0] * 5
    longer = check_sequences(np.ones((5, 3, 2)))
    assert series_of_single_steps(longer) is longer


def test_take_cuts_the_samples_and_shares_the_base():
    sequences = check_sequences(view_of()[1])
    taken = sequences.take(np.array([3, 0]))
    assert taken.base is sequences.base
    assert_reads(taken, [rows_of(sequences)[3], rows_of(sequences)[0]])
    assert taken.segment.shape == taken.series.shape == (2,)


@given(st.integers(0, 10**6))
def test_row_weights_count_how_often_each_row_is_read(seed):
    rng = np.random.RandomState(seed)
    sequences = check_sequences(view_of(11, 4, 2)[1]).take(rng.randint(0, 8, size=5))
    weight = rng.choice([0.0, 0.1, 0.3, 2.0], size=5)
    expected = np.zeros(11)
    for first, last, w in zip(sequences.first, sequences.last, weight, strict=True):
        expected[first : last + 1] += w
    np.testing.assert_allclose(sequences.row_weights(weight), expected, atol=1e-12)
    assert (sequences.row_weights(weight)[expected == 0] == 0).all()
    counts = np.bincount(np.concatenate([np.arange(f, f + 4) for f in sequences.first]), minlength=11)
    np.testing.assert_array_equal(sequences.row_weights(), counts)


# -- ragged --------------------------------------------------------------------------------------------------------

PARTS = [np.arange(6.0).reshape(3, 2), np.ones((1, 2)), np.full((5, 2), 7.0)]


@pytest.mark.parametrize("container", [list, tuple])
@pytest.mark.parametrize("element", [np.asarray, np.ndarray.tolist, pd.DataFrame])
def test_ragged_lists(container, element):
    X = container(element(part) for part in PARTS)
    assert is_sequence_input(X)
    sequences = check_sequences(X)
    assert_reads(sequences, PARTS)
    assert sequences.n_steps == 5
    assert not sequences.are_windows


def test_ragged_object_array():
    X = np.empty(3, dtype=object)
    X[:] = PARTS
    assert is_sequence_input(X)
    assert_reads(check_sequences(X), PARTS)


def test_ragged_sequences_of_numbers_have_one_channel():
    X = [[1.0, 2.0], np.array([3.0, 4.0, 5.0]), (6,)]
    assert is_sequence_input(X)
    assert_reads(check_sequences(X), [[[1.0], [2.0]], [[3.0], [4.0], [5.0]], [[6.0]]])


def test_padding_within_ragged_sequences():
    X = [[[NAN, NAN], [1, 2], [3, 4]], [[5, 6], [NAN, NAN]], [[7, 8]]]
    sequences = check_sequences(X)
    assert_reads(sequences, [[[1, 2], [3, 4]], [[5, 6]], [[7, 8]]])
    assert sequences.n_steps == 3


# -- which door ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "X",
    [
        np.ones((5, 3)),
        np.ones(5),
        [[1.0, 2.0], [3.0, 4.0]],
        [1.0, 2.0],
        [],
        pd.DataFrame({"a": [1.0, 2.0]}),
        [["a", "b"], ["c"]],
        ["ab", "c"],
        [{"a": 1}],
        np.array([["a"], ["b"]], dtype=object),
        np.array(["a", "bc"], dtype=object),
        "text",
        None,
    ],
    ids=lambda X: f"{type(X).__name__}",
)
def test_tables_and_everything_else_go_through_scikit_learns_door(X):
    assert not is_sequence_input(X) or X == [["a", "b"], ["c"]]  # whose own message names the strings


def test_three_axes_are_sequences():
    assert is_sequence_input(np.ones((2, 3, 5)))
    assert is_sequence_input(view_of()[1])
    assert is_sequence_input(Windows(np.ones((2, 1)), [0, 1], [0, 0], [0, 0], 2))
    assert is_sequence_input([np.ones((3, 2)), np.ones((3, 2))])
    assert is_sequence_input([[[1.0], [2.0]]])


def test_table_is_read_oldest_step_first_channels_fastest():
    X = np.arange(30.0).reshape(5, 6)
    sequences = table_sequences(X, 2)
    assert_reads(sequences, [row.reshape(3, 2) for row in X])
    assert (sequences.layout, sequences.n_steps) == ("table", 3)
    assert_reads(table_sequences(X, None), [row[:, None] for row in X])


# -- refusals ------------------------------------------------------------------------------------------------------


def test_columns_that_are_no_multiple_of_the_channels():
    with pytest.raises(ValueError, match=r"X has 7 columns, which is no multiple of n_channels=3.*oldest step"):
        table_sequences(np.ones((5, 7)), 3)


def test_another_number_of_channels():
    with pytest.raises(ValueError, match=r"X has 2 channels, but 3 were expected as in `fit`.*third axis"):
        check_sequences(np.ones((5, 7, 2)), n_channels=3)


def block_with(value, where):
    X = np.ones((5, 7, 2))
    X[where] = value
    return X


@pytest.mark.parametrize(
    "where, sample, step", [((3, 4, 1), 3, 4), ((0, 0, 0), 0, 0), ((4, 6, 1), 4, 6), ((2, 3), 2, 3)]
)
@pytest.mark.parametrize("value, kind", [(NAN, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_value_that_is_not_finite(where, sample, step, value, kind):
    message = rf"contains {kind}: sequence {sample} has it at step {step}.*impute"
    X = block_with(value, where)
    with pytest.raises(ValueError, match=message):
        check_sequences(X)
    with pytest.raises(ValueError, match=message):
        check_sequences([*X[:4], X[4, :]])


def test_step_of_an_error_is_counted_within_the_valid_steps():
    X = block_with(NAN, (3, slice(0, 2)))
    X[3, 5, 0] = np.inf
    with pytest.raises(ValueError, match=r"infinity: sequence 3 has it at step 3 of its valid steps"):
        check_sequences(X)


def test_first_offence_is_named():
    X = block_with(NAN, (slice(1, 4), 3, 1))
    with pytest.raises(ValueError, match="sequence 1 has it at step 3"):
        check_sequences(X)


def test_windows_are_checked_on_the_rows_they_read_only():
    base = np.ones((7, 2))
    base[2, 0] = NAN
    X = Windows(base, np.arange(7), [0] * 7, [0] * 7, 2)
    with pytest.raises(ValueError, match="NaN: sequence 2 has it at step 1"):
        check_sequences(X)
    assert len(check_sequences(X[[0, 1, 4, 6]])) == 4


def test_hole_in_a_view():
    base, X = view_of(9, 3)
    base[4] = NAN  # every channel: no padding all the same, it is in the middle
    with pytest.raises(ValueError, match="NaN: sequence 2 has it at step 2"):
        check_sequences(X)


@pytest.mark.parametrize("as_list", [False, True])
def test_sequence_of_padding_only(as_list):
    X = block_with(NAN, 3)
    with pytest.raises(ValueError, match=r"Sequence 3 of X holds padding \(all-NaN steps\) only.*Drop it"):
        check_sequences([*X[:4], X[4, :5]] if as_list else X)


def test_view_whose_first_window_is_padding_only():
    base = np.concatenate([np.full((4, 2), NAN), np.ones((7, 2))])
    view = sliding_window_view(base, 3, axis=0).transpose(0, 2, 1)
    with pytest.raises(ValueError, match="Sequence 0 of X holds padding"):
        check_sequences(view)


def test_no_samples():
    for X in (np.empty((0, 3, 2)), Windows(np.ones((5, 2)), [], [], [], 3)):
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            check_sequences(X)


@pytest.mark.parametrize("empty", [np.empty((0, 2)), []])
def test_sequence_without_steps(empty):
    with pytest.raises(ValueError, match=r"Sequence 1 of X must be an array of shape.*at least one step.*Drop it"):
        check_sequences([PARTS[0], empty, PARTS[2]])


def test_sequences_of_unequal_channels():
    with pytest.raises(ValueError, match=r"sequence 0 has 2 and sequence 2 has 3"):
        check_sequences([np.ones((3, 2)), np.ones((5, 2)), np.ones((5, 3))])


def test_strings_in_sequences():
    with pytest.raises(ValueError, match=re.escape("must hold numbers only")):
        check_sequences([["a", "b"], ["c"]])


def test_object_sequence_of_another_shape():
    with pytest.raises(ValueError, match=r"Sequence 1 of X must be an array of shape \(n_steps, n_channels\)"):
        check_sequences([np.ones((3, 2)), np.ones((3, 2, 5))])


def test_inputs_are_left_alone():
    X = block_with(NAN, (1, slice(0, 3)))
    before = X.copy()
    check_sequences(X)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.float16, bool])
def test_views_of_other_numbers_stay_windows(dtype):
    series = np.random.RandomState(0).randint(0, 2, size=(30, 2)).astype(dtype)
    view = np.lib.stride_tricks.sliding_window_view(series, 5, axis=0).transpose(0, 2, 1)
    sequences = check_sequences(view)
    assert sequences.are_windows
    assert sequences.base.dtype == np.float64
    assert len(sequences.base) == 30


def test_a_list_of_tables_has_the_names_of_their_columns():
    tables = [pd.DataFrame(np.ones((n_steps, 2)), columns=["temperature", "pressure"]) for n_steps in (3, 5, 2)]
    assert check_sequences(tables).channel_names == ("temperature", "pressure")
    assert check_sequences([table.to_numpy() for table in tables]).channel_names is None
    tables[1] = tables[1][["pressure", "temperature"]]
    with pytest.raises(ValueError, match=r"same columns.*sequence 0 has \['temperature'.*sequence 1 has \['pressure'"):
        check_sequences(tables)
