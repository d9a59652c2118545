"""Labels as users pass them become class numbers in scikit-learn's order; what each class weighs."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from skrnn._class_targets import (
    as_labels,
    check_known_labels,
    check_multilabel,
    class_columns,
    commonest_class,
    encode,
    find_classes,
    is_indicator,
    is_unknown,
    named_classes,
    weights_of_classes,
    weights_of_targets,
)

NAN = np.nan


def labels_of(y, n_samples=None):
    return as_labels(y, len(y) if n_samples is None else n_samples, "Net")


def classes_of(y):
    labels = labels_of(y)
    return find_classes(labels, is_unknown(labels))


# -- labels of every type ------------------------------------------------------------------------------------------


KINDS = {
    "str": ["ham", "spam", "egg", "ham"],
    "words of other lengths": ["a", "longer", "longest of all", "a"],
    "int": [7, -2, 30, 7],
    "numbers with gaps": np.array([100, 3, 50, 3], dtype=np.uint8),
    "bool": [True, False, True, True],
    "bool array": np.array([True, False, True, True]),
    "whole floats": np.array([3.0, 1.0, 8.0, 1.0]),
    "object str": np.array(["b", "a", "c", "a"], dtype=object),
    "object int": np.array([5, 1, 9, 1], dtype=object),
    "object bool": np.array([True, False, True, True], dtype=object),
    "numpy str": np.array(["b", "a", "c", "a"]),
    "tuple": ("b", "a", "c", "a"),
    "index": pd.Index(["b", "a", "c", "a"]),
    "series": pd.Series([5, 1, 9, 1], index=[3, 1, 0, 2]),
    "string dtype": pd.Series(["b", "a", "c", "a"], dtype="string"),
    "Int64": pd.Series([5, 1, 9, 1], dtype="Int64"),
    "boolean": pd.Series([True, False, True, True], dtype="boolean"),
    "categorical": pd.Categorical(["b", "a", "c", "a"], categories=["c", "b", "a", "unused"], ordered=True),
    "categorical of numbers": pd.Series([5, 1, 9, 1]).astype("category"),
    "column": pd.Series(["b", "a", "c", "a"]).to_frame(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_classes_stand_in_the_order_of_numpy(kind):
    y = KINDS[kind]
    plain = np.array((y.iloc[:, 0] if kind == "column" else pd.Series(y)).tolist())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataConversionWarning)  # of the column
        labels = labels_of(y)
    classes, multilabel = find_classes(labels, is_unknown(labels))
    assert not multilabel
    np.testing.assert_array_equal(classes, np.unique(plain))
    assert classes.dtype.kind in (plain.dtype.kind, "u", "O")
    assert isinstance(classes.tolist()[0], type(plain.tolist()[0]))
    codes = encode(labels, classes)
    assert codes.dtype == np.float64
    np.testing.assert_array_equal(codes, np.unique(plain, return_inverse=True)[1])
    np.testing.assert_array_equal(classes[codes.astype(int)], plain)


UNKNOWN_KINDS = {
    "None in a list of words": ["b", None, "a", None],
    "NaN in a list of words": ["b", NAN, "a", NAN],
    "NA in a list of words": ["b", pd.NA, "a", pd.NA],
    "None in a list of ints": [5, None, 1, None],
    "None in a list of bools": [True, None, False, None],
    "object array": np.array(["b", None, "a", NAN], dtype=object),
    "floats": np.array([2.0, NAN, 1.0, NAN]),
    "series": pd.Series(["b", None, "a", NAN]),
    "string dtype": pd.Series(["b", None, "a", None], dtype="string"),
    "Int64": pd.Series([5, None, 1, None], dtype="Int64"),
    "boolean": pd.Series([True, None, False, None], dtype="boolean"),
    "categorical": pd.Categorical(["b", None, "a", None]),
    "categorical series": pd.Series(["b", None, "a", None], dtype="category"),
}


@pytest.mark.parametrize("kind", UNKNOWN_KINDS)
def test_unknown_labels_are_found_and_are_no_class(kind):
    labels = labels_of(UNKNOWN_KINDS[kind])
    unknown = is_unknown(labels)
    assert unknown.tolist() == [False, True, False, True]
    classes, _ = find_classes(labels, unknown)
    assert len(classes) == 2
    assert isinstance(classes.tolist()[0], {"I": int, "b": bool, "f": float}.get(kind[0], (str, int, bool)))
    np.testing.assert_array_equal(encode(labels[~unknown], classes), [1, 0])
    check_known_labels(labels, unknown, may_be_unknown=True)


def test_a_column_is_flattened_with_scikit_learns_warning():
    with pytest.warns(DataConversionWarning, match="column-vector"):
        assert labels_of(np.array([[1], [2], [1]])).tolist() == [1, 2, 1]


def test_words_that_say_nan_are_words():
    classes, _ = classes_of(["nan", "None", "nan", ""])
    assert classes.tolist() == ["", "None", "nan"]
    assert not is_unknown(labels_of(["nan", "None", ""])).any()


@pytest.mark.parametrize(
    "y, message",
    [
        (None, "Net requires y to be passed, but the target y is None"),
        (np.ones((4, 2, 2)), r"shape \(n_samples,\) or \(n_samples, n_labels\), got \(4, 2, 2\)"),
        (["a", "b"], "X has 4 rows and y has 2"),
        ([["a"], ["b", "c"], [], []], r"unequal lengths such as \['a'\].*SequenceTagger"),
    ],
)
def test_no_labels(y, message):
    with pytest.raises(ValueError, match=message):
        labels_of(y, 4)


@pytest.mark.parametrize(
    "y, message",
    [
        ([0.5, 1.25, 2.0, 3.1], "[Uu]nknown label type: .*continuous"),
        (["a", 1, "b", 2], "mixes names and numbers"),
        (np.array([["a", "b"], ["b", "a"]]), r"shape \(2, 2\) must be a multilabel indicator.*multiclass-multioutput"),
        (np.array([[0, 2], [1, 0]]), "must be a multilabel indicator of 0 and 1.*multiclass-multioutput"),
        (np.array([[0.5, 2], [1, 0]]), "must be a multilabel indicator of 0 and 1.*continuous-multioutput"),
        (np.array([[-1, 1], [1, -1]]), r"one label a row pass y of shape \(2,\)"),
    ],
)
def test_no_classes(y, message):
    with pytest.raises(ValueError, match=message):
        classes_of(y)


@pytest.mark.parametrize("unknown", [None, NAN, pd.NA])
def test_unknown_labels_name_their_first_row_where_they_are_refused(unknown):
    labels = labels_of(["a", "b", unknown, "a", unknown])
    with pytest.raises(ValueError, match=r"y contains NaN: the label of row 2 is (None|nan|<NA>)\."):
        check_known_labels(labels, is_unknown(labels), may_be_unknown=False)
    indicator = labels_of([[0, 1], [1, 0], [1, unknown]])
    with pytest.raises(ValueError, match="label of row 2 is "):
        check_known_labels(indicator, is_unknown(indicator), may_be_unknown=False)


@pytest.mark.parametrize("may_be_unknown", [True, False])
def test_no_label_at_all_and_infinity(may_be_unknown):
    labels = np.array([NAN, NAN])
    with pytest.raises(ValueError, match="all 2 are None or NaN" if may_be_unknown else r"row 0 is nan\."):
        check_known_labels(labels, is_unknown(labels), may_be_unknown=may_be_unknown)
    labels = np.array([1.0, np.inf])
    with pytest.raises(ValueError, match="infinity"):
        check_known_labels(labels, is_unknown(labels), may_be_unknown=may_be_unknown)


@pytest.mark.parametrize(
    "y",
    [
        np.array([[0, 1, 1], [1, 0, 1]]),
        np.array([[False, True, True], [True, False, True]]),
        np.array([[0.0, 1.0, NAN], [1.0, NAN, 1.0]]),
        np.array([[0, 1, None], [1, None, 1]], dtype=object),
        pd.DataFrame([[0, 1, 1], [1, 0, 1]], columns=["a", "b", "c"]),
        [[0, 1, 1], [1, 0, 1]],
    ],
    ids=["int", "bool", "NaN", "None", "frame", "list"],
)
def test_an_indicator_has_a_class_for_each_column(y):
    classes, multilabel = classes_of(y)
    assert multilabel
    np.testing.assert_array_equal(classes, [0, 1, 2])


def test_known_values_of_an_indicator_are_0_and_1():
    values = np.array([[0.0, 7.0], [1.0, 1.0]])
    check_multilabel(values, values == 7)  # 7 stands for an unknown one
    with pytest.raises(ValueError, match="indicator"):
        check_multilabel(values, np.zeros((2, 2), dtype=bool))


@pytest.mark.parametrize(
    "classes, labels, strange",
    [
        (["a", "c"], ["c", "b", "d"], ["b", "d"]),
        (["a", "c"], ["", "a", "zz"], ["", "zz"]),  # before the first, after the last
        ([1, 5], [5, 3, 9], [3, 9]),
        ([1, 5], [0.0, 5.0, 1.5], [0.0, 1.5]),
        ([1, 5], ["1", "5", "5"], ["1", "5"]),
        (["1", "5"], [1, 5, 5], [1, 5]),
        ([False, True], [True, 2, 0], [2]),
    ],
)
def test_foreign_labels_are_named(classes, labels, strange):
    message = f"y_val holds {strange}, which is none of the classes {classes}. Hint."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        encode(np.array(labels), np.array(classes), "y_val", " Hint.")


@pytest.mark.parametrize("as_objects", [{"labels"}, {"classes"}, {"labels", "classes"}], ids=str)
@pytest.mark.parametrize(
    "classes, labels", [(["a", "c"], ["c", "a"]), ([1, 5], [5, 1]), ([False, True], [True, False])]
)
def test_arrays_of_objects_are_encoded_as_plain_ones(classes, labels, as_objects):
    codes = encode(
        np.array(labels, dtype=object if "labels" in as_objects else None),
        np.array(classes, dtype=object if "classes" in as_objects else None),
    )
    assert codes.tolist() == [1, 0]


def test_class_columns_follow_no_channel():
    targets = class_columns(np.array([[0.0, 1.0], [NAN, 1.0]]), (2,), np.ones((2, 2)))
    assert targets.channels.tolist() == [-1, -1]
    assert targets.reach == 0
    assert targets.take(np.array([1])).weights.shape == (1, 2)


@pytest.mark.parametrize("kind", [str, object])
def test_many_classes_are_no_regression(kind):
    """scikit-learn warns of a y with nearly as many values as rows, which its classes alone would be."""
    names = np.array([f"c{i:02}" for i in range(30)], dtype=kind)
    assert classes_of(np.tile(names, 4))[0].tolist() == names.tolist()


# -- classes that are named beforehand -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "classes, expected",
    [
        (["c", "a", "c"], ["a", "c"]),
        ((3, 1), [1, 3]),
        (np.array(["b", "a"], dtype=object), ["a", "b"]),
        (pd.Series(["b", "a"], dtype="string"), ["a", "b"]),
        (pd.Categorical(["b", "a"]), ["a", "b"]),
        ([True, False], [False, True]),
        (range(3), [0, 1, 2]),
    ],
)
def test_named_classes_stand_in_order_each_once(classes, expected):
    assert named_classes(classes).tolist() == expected


@pytest.mark.parametrize(
    "classes", ["ab", 3, {"a", "b"}, ["a", None], [1.0, NAN], np.array(["a", pd.NA], dtype=object)]
)
def test_classes_that_are_no_list_of_labels(classes):
    with pytest.raises(ValueError, match="classes must be a list of the labels.*None and NaN stand for rows without"):
        named_classes(classes)


def test_classes_of_two_kinds():
    with pytest.raises(ValueError, match="mixes names and numbers"):
        named_classes(np.array(["a", 1], dtype=object))


def test_what_is_an_indicator():
    yes = [[[0, 1], [1, 0]], np.zeros((3, 2)), pd.DataFrame(np.zeros((3, 2)))]
    no = [[0, 1], np.zeros((3, 1)), pd.Series([1, 2]), [["a"], ["b", "c"]], pd.DataFrame({"y": [1]}), None]
    assert all(map(is_indicator, yes))
    assert not any(map(is_indicator, no))


# -- weights of classes --------------------------------------------------------------------------------------------


def balanced(values, sample_weight=None, n_classes=3):
    return weights_of_classes("balanced", np.arange(n_classes), np.asarray(values, dtype=float), sample_weight)


def test_balanced_is_scikit_learns():
    y = np.array([0, 0, 0, 1, 2, 2, 0])
    np.testing.assert_allclose(balanced(y), compute_class_weight("balanced", classes=np.arange(3), y=y))


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), min_size=1, max_size=20),
)
def test_balanced_of_weighted_rows_is_that_of_repeated_ones(rows):
    values, weight = np.array(rows).T.astype(float)
    repeated = np.repeat(values, weight.astype(int))
    np.testing.assert_allclose(balanced(values, weight), balanced(repeated))
    there = np.unique(values.astype(int))
    weighed = np.bincount(values.astype(int), weight, 3)[there] * balanced(values, weight)[there]
    np.testing.assert_allclose(weighed, weight.sum() / len(there))  # all classes that are there weigh the same


def test_balanced_leaves_out_unknown_labels_and_classes_that_are_not_there():
    np.testing.assert_allclose(balanced([0, 0, NAN, 2, NAN, 0]), [4 / 6, 1, 4 / 2])
    np.testing.assert_allclose(balanced([0, 0, 1, 2], np.array([1.0, 1.0, 0.0, 2.0])), [1, 1, 1])


@pytest.mark.parametrize(
    "given, classes, expected",
    [
        ({0: 2.0}, np.arange(3), [2, 1, 1]),
        ({"b": 3, "a": 0.5}, np.array(["a", "b"]), [0.5, 3]),
        ({"b": 3}, np.array(["a", "b"], dtype=object), [1, 3]),
        ({True: 4}, np.array([False, True]), [1, 4]),
        ({np.int64(5): 4}, np.array([1, 5]), [1, 4]),
        ({}, np.arange(2), [1, 1]),
    ],
)
def test_a_dict_names_classes(given, classes, expected):
    np.testing.assert_array_equal(weights_of_classes(given, classes, np.zeros(1), None), expected)


def test_a_dict_that_names_no_class():
    with pytest.raises(ValueError, match=r"class_weight=\{'c': 1\} names what is no class: .* are \['a', 'b'\]"):
        weights_of_classes({"c": 1}, np.array(["a", "b"]), np.zeros(1), None)
    assert weights_of_classes(None, np.arange(2), np.zeros(1), None) is None


def test_weights_stand_at_their_targets():
    table = np.array([[1.0, 2.0], [3.0, 4.0]])
    values = np.array([[0, 1], [1, 0], [NAN, 1], [1, NAN]])
    np.testing.assert_array_equal(weights_of_targets(table, values), [[1, 4], [2, 3], [0, 4], [2, 0]])
    of_steps = weights_of_targets(np.array([[5.0, 7.0]]), np.array([[[0], [1], [NAN]], [[1], [1], [0]]]))
    np.testing.assert_array_equal(of_steps[..., 0], [[5, 7, 0], [7, 7, 5]])
    assert weights_of_targets(None, values) is None


def test_labels_are_balanced_alone_where_scikit_learn_multiplies():
    values = np.array([[0, 0], [0, 1], [0, 0], [1, 0]], dtype=float)
    table = np.array([balanced(values[:, j], n_classes=2) for j in range(2)])
    np.testing.assert_allclose(weights_of_targets(table, values)[3], [2, 2 / 3])
    assert compute_sample_weight("balanced", values)[3] == pytest.approx(4 / 3)  # 2 * 2/3 for the whole row


def test_the_commonest_class_of_each_column():
    values = np.array([[0, 2], [1, 2], [1, NAN], [NAN, NAN], [1, 0]])
    assert commonest_class(values).tolist() == [1, 2]
    assert commonest_class(values[3:4]).tolist() == [0, 0]  # none is known
    assert commonest_class(np.array([[[0], [1], [1]], [[2], [1], [NAN]]])).tolist() == [1]
