"""History across the border of `fit` and `transform`: new rows follow the last rows of `fit`."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_predict
from sklearn.pipeline import make_pipeline

from skrnn._sequences import Windows
from skrnn.windows import SlidingWindowTransformer

pytestmark = pytest.mark.filterwarnings("ignore:`window`=24 is longer", "ignore:Only .* windows hold all")


def table(n_rows, index=None, seed=0):
    values = np.random.default_rng(seed).normal(size=(n_rows, 2))
    return pd.DataFrame(values, columns=["a", "b"], index=index)


def oracle(frame, window):
    """The windows of all rows together, which those of a later block must equal."""
    rows = frame.to_numpy()
    padded = np.concatenate([np.full((window - 1, rows.shape[1]), np.nan), rows])
    return np.stack([padded[t : t + window] for t in range(len(rows))])


def without_freq(index):
    return pd.DatetimeIndex(np.array(index))


INDEXES = {
    "range": pd.RangeIndex(84),
    "every third row": pd.RangeIndex(5, 257, 3),
    "ints": pd.Index(np.arange(84) * 3),
    "irregular ints": pd.Index(np.delete(np.arange(98), np.arange(0, 98, 7))),
    "floats": pd.Index(np.arange(84) * 0.1),
    "days": pd.date_range("2024", periods=84),
    "days without freq": without_freq(pd.date_range("2024", periods=84)),
    "trading days": pd.bdate_range("2024", periods=84),
    "trading days without freq": without_freq(pd.bdate_range("2024", periods=84)),
    "months": pd.date_range("2024", periods=84, freq="MS"),
    "months without freq": without_freq(pd.date_range("2024", periods=84, freq="MS")),
    "days in a time zone": pd.date_range("2024-01-20", periods=84, tz="Europe/Berlin"),
    "hours in a time zone": pd.date_range("2024-03-28", periods=84, freq="h", tz="Europe/Berlin"),
    "periods": pd.period_range("2024", periods=84, freq="M"),
    "durations": pd.timedelta_range("0s", periods=84, freq="5s"),
}


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_folds_shorter_than_the_window_have_their_whole_context(index):
    frame = table(84, index)
    want = oracle(frame, 24)
    for train, test in TimeSeriesSplit(6, test_size=12).split(frame):  # the first training fold has 12 rows too
        step = SlidingWindowTransformer(24).fit(frame.iloc[train])
        np.testing.assert_array_equal(np.asarray(step.transform(frame.iloc[test])), want[test])
        np.testing.assert_array_equal(np.asarray(step.transform(frame.iloc[train])), want[train])


class OldestSeen(RegressorMixin, BaseEstimator):
    """Predicts the oldest value of the window, NaN where it is padding."""

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X):
        assert isinstance(X, Windows)
        return np.asarray(X)[:, 0, 0]


def test_context_inside_cross_validation_and_grid_search():
    frame = table(60, pd.date_range("2024", periods=60))
    pipeline = make_pipeline(SlidingWindowTransformer(24), OldestSeen())
    blocks = [(np.arange(k), np.arange(k, k + 12)) for k in (24, 36, 48)]
    blocks = [(np.arange(24), np.arange(24)), *blocks]
    predicted = cross_val_predict(pipeline, frame, frame["a"], cv=blocks)
    np.testing.assert_array_equal(predicted, oracle(frame, 24)[:, 0, 0])
    search = GridSearchCV(
        pipeline,
        {"slidingwindowtransformer__window": [2, 5]},
        cv=TimeSeriesSplit(3),
        n_jobs=2,
        error_score="raise",
    )
    scores = search.fit(frame, frame["a"]).cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()  # a padded window would have given NaN


def test_memory_of_a_pipeline_keeps_windows_lazy(tmp_path, monkeypatch):
    frame = table(60)
    pipeline = make_pipeline(SlidingWindowTransformer(24), OldestSeen(), memory=str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(Windows, "__array__", None)
        pipeline.fit(frame[:50], frame["a"][:50])
        pipeline.fit(frame[:50], frame["a"][:50])  # from the cache
    np.testing.assert_array_equal(pipeline.predict(frame[50:]), oracle(frame, 24)[50:, 0, 0])


def test_tail_shorter_than_the_window_is_used_as_far_as_it_goes():
    frame = table(20)
    with pytest.warns(UserWarning, match="`window`=7 is longer than the series"):
        step = SlidingWindowTransformer(7).fit(frame[:3])
    np.testing.assert_array_equal(np.asarray(step.transform(frame[3:])), oracle(frame, 7)[3:])


def test_edge_padding_is_in_front_of_the_history():
    frame = table(20)
    with pytest.warns(UserWarning, match="`window`=7 is longer than the series"):
        step = SlidingWindowTransformer(7, pad="edge").fit(frame[:4])
    rows = frame.to_numpy()
    want = np.stack([rows[np.maximum(np.arange(t - 6, t + 1), 0)] for t in range(20)])
    np.testing.assert_array_equal(np.asarray(step.transform(frame[4:])), want[4:])


def test_flat_windows_have_context_too():
    frame = table(20)
    step = SlidingWindowTransformer(3, flatten=True).fit(frame[:10])
    np.testing.assert_array_equal(step.transform(frame[10:]), oracle(frame, 3)[10:].reshape(10, 6))


def test_history_never_changes_with_transform_and_survives_pickling():
    frame = table(20)
    step = SlidingWindowTransformer(5).fit(frame[:10])
    first = np.asarray(step.transform(frame[10:]))
    step.transform(frame[10:15])
    np.testing.assert_array_equal(np.asarray(step.transform(frame[10:])), first)


def test_one_row_in_fit_has_a_step_only_by_its_index():
    for index, known in [
        (pd.RangeIndex(4), True),
        (pd.date_range("2024", periods=4, freq="MS"), True),
        (pd.period_range("2024", periods=4, freq="D"), True),
        (pd.Index([0, 1, 2, 3]), False),
        (without_freq(pd.date_range("2024", periods=4)), False),
    ]:
        frame = table(4, index)
        with pytest.warns(UserWarning, match="`window`=2 is longer than the series"):
            step = SlidingWindowTransformer(2).fit(frame[:1])
        if known:
            np.testing.assert_array_equal(np.asarray(step.transform(frame[1:])), oracle(frame, 2)[1:])
        else:
            with pytest.warns(UserWarning, match="more than one step \\(unknown\\)"):
                step.transform(frame[1:])


def test_a_month_longer_than_those_seen_continues_by_its_freq():
    frame = table(3, pd.date_range("2023-02-01", periods=3, freq="MS"))  # 28 days, then 31
    step = SlidingWindowTransformer(2).fit(frame[:2])
    np.testing.assert_array_equal(np.asarray(step.transform(frame[2:])), oracle(frame, 2)[2:])


def test_history_does_not_reach_over_a_hole():
    frame = table(300).drop(index=[296])
    step = SlidingWindowTransformer(10).fit(frame)
    new = table(2, index=[300, 301], seed=1)
    window = np.asarray(step.transform(new))[0]
    assert np.isnan(window[:6]).all()
    np.testing.assert_array_equal(window[6:], np.concatenate([frame.to_numpy()[-3:], new.to_numpy()[:1]]))


# ------------------------------------------------------------------------------------------------ panels


def panel():
    """Series x of 9 rows, y of 7, z of 5, rows mixed; and the oracle of windows of 4 rows."""
    sizes = {"x": 9, "y": 7, "z": 5}
    parts = [table(size, seed=size).assign(shop=name, day=np.arange(size)) for name, size in sizes.items()]
    frame = pd.concat(parts, ignore_index=True)
    want = np.concatenate([oracle(part[["a", "b"]], 4) for part in parts])
    mixed = np.random.default_rng(0).permutation(len(frame))
    return frame.iloc[mixed], want[mixed]


def test_each_series_of_a_panel_has_its_own_history():
    frame, want = panel()
    late = (frame["day"] >= 4).to_numpy()
    step = SlidingWindowTransformer(4, group="shop", time="day").fit(frame[~late])
    np.testing.assert_array_equal(np.asarray(step.transform(frame[late])), want[late])
    only_y = late & (frame["shop"] == "y").to_numpy()
    np.testing.assert_array_equal(np.asarray(step.transform(frame[only_y])), want[only_y])


def test_unseen_series_are_new_series():
    frame, want = panel()
    z = (frame["shop"] == "z").to_numpy()
    step = SlidingWindowTransformer(4, group="shop", time="day").fit(frame[~z])
    np.testing.assert_array_equal(np.asarray(step.transform(frame[z])), want[z])
    with pytest.raises(ValueError, match="`context`='require': The rows get no history .* series 'z' was not in"):
        step.set_params(context="require").transform(frame[z])


def test_gap_in_some_series_of_a_panel():
    frame, want = panel()
    early = (frame["day"] < 4).to_numpy()
    step = SlidingWindowTransformer(4, group="shop", time="day").fit(frame[early])
    later = ~early & ~((frame["shop"] == "y") & (frame["day"] < 6)).to_numpy()
    with pytest.warns(
        UserWarning,
        match=r"1 of 3 series get no history .* series 'y' begins at 6, more than one step \(1\) after 3, ",
    ):
        windows = step.transform(frame[later])
    ok = (frame["shop"] != "y").to_numpy()[later]
    np.testing.assert_array_equal(np.asarray(windows)[ok], want[later][ok])
    assert windows.lengths[~ok].tolist() == [1]


def test_panel_by_multi_index_with_dates():
    frame, want = panel()
    frame = frame.assign(day=pd.Timestamp("2024") + pd.to_timedelta(frame["day"], unit="D"))
    late = (frame["day"] >= "2024-01-05").to_numpy()
    frame = frame.set_index(["shop", "day"])
    step = SlidingWindowTransformer(4, group="shop").fit(frame[~late])
    np.testing.assert_array_equal(np.asarray(step.transform(frame[late])), want[late])


def test_array_with_a_time_column_has_labels():
    rows = np.column_stack([np.arange(20), np.random.default_rng(0).normal(size=20)])
    step = SlidingWindowTransformer(5, time=0, context="require").fit(rows[:8])
    want = oracle(pd.DataFrame(rows[:, 1:]), 5)
    np.testing.assert_array_equal(np.asarray(step.transform(rows[8:])), want[8:])


# ------------------------------------------------------------------------------- no history, and its messages


def test_never():
    frame = table(20)
    step = SlidingWindowTransformer(4, context="never").fit(frame[:10])
    for block in (frame[10:], frame[15:], frame[5:], frame[12:14]):
        np.testing.assert_array_equal(np.asarray(step.transform(block)), oracle(block, 4))


def test_rows_of_fit_and_before_need_no_history():
    frame = table(20)
    step = SlidingWindowTransformer(4).fit(frame[5:12])
    for block in (frame[5:12], frame[5:9], frame[5:], frame[:7]):
        np.testing.assert_array_equal(np.asarray(step.transform(block)), oracle(block, 4))


@pytest.mark.parametrize(
    "block, message",
    [
        (
            slice(13, 20),
            r"the series begins at 13, more than one step \(1\) after 9",
        ),
        (
            slice(5, 20),
            "the series begins at 5, amid the rows of `fit`, which end at 9: pass all of its rows, or only",
        ),
        (slice(5, 8), "the series begins at 5, amid the rows of `fit`, which end at 9"),
    ],
)
def test_gaps_and_overlaps_warn_or_raise(block, message):
    message = "The rows get no history from `fit`: " + message
    frame = table(20)
    step = SlidingWindowTransformer(4).fit(frame[:10])
    with pytest.warns(UserWarning, match=message + ".*, or use context='never'"):
        windows = step.transform(frame[block])
    np.testing.assert_array_equal(np.asarray(windows), oracle(frame[block], 4))
    with pytest.raises(ValueError, match="`context`='require': " + message + ".*, or use context='auto'"):
        step.set_params(context="require").transform(frame[block])


def test_require_takes_rows_that_continue_and_rows_of_fit():
    frame = table(20)
    step = SlidingWindowTransformer(4, context="require")
    np.testing.assert_array_equal(np.asarray(step.fit_transform(frame[5:10])), oracle(frame[5:10], 4))
    step.transform(frame[5:10])
    step.transform(frame[10:11])
    with pytest.raises(ValueError, match="the series begins at 3, before the rows of `fit`"):
        step.transform(frame[3:])
    rows = frame.to_numpy()
    assert step.fit_transform(rows).shape == (20, 4, 2)
    with pytest.raises(ValueError, match="no labels that say what they continue: pass DataFrames"):
        step.transform(rows)
    assert SlidingWindowTransformer(1, context="require").fit(rows).transform(rows).shape == (20, 1, 2)


@pytest.mark.parametrize("kind", ["array", "strings", "another kind"])
def test_without_labels_only_short_blocks_warn(kind):
    frame = table(20)
    blocks = {
        "array": (frame.to_numpy()[:12], frame.to_numpy()[12:]),
        "strings": [block.set_axis([f"r{k}" for k in block.index]) for block in (frame[:12], frame[12:])],
        "another kind": (frame[:12], frame[12:].set_axis(pd.date_range("2024", periods=8))),
    }
    train, test = blocks[kind]
    step = SlidingWindowTransformer(5).fit(train)
    assert np.isnan(np.asarray(step.transform(test))[0, 0]).all()  # as long as the window: no word
    with pytest.warns(UserWarning, match="no labels that say what they continue: pass DataFrames") as caught:
        step.transform(test[:4])
    assert len(caught) == 1


def test_dates_in_another_time_zone_or_resolution_are_the_same_dates():
    frame = table(20, pd.date_range("2024", periods=20, tz="Europe/Berlin"))
    step = SlidingWindowTransformer(4, context="require").fit(frame[:10])
    want = oracle(frame, 4)[10:]
    np.testing.assert_array_equal(np.asarray(step.transform(frame[10:].tz_convert("UTC"))), want)
    frame = frame.tz_localize(None)
    step.fit(frame[:10].set_axis(frame.index[:10].as_unit("s")))
    np.testing.assert_array_equal(np.asarray(step.transform(frame[10:].set_axis(frame.index[10:].as_unit("ns")))), want)


def test_dates_as_text_are_refused_as_time():
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0], "day": ["8/26/2016", "8/29/2016", "10/3/2016"]})
    with pytest.raises(ValueError, match="dates written as text, such as '8/26/2016'.*pd.to_datetime"):
        SlidingWindowTransformer(2, time="day").fit(table)
    table["day"] = ["2016-08-26", "2016-08-29", "2016-10-03"]  # sorts by time
    assert SlidingWindowTransformer(2, time="day").fit_transform(table).shape == (3, 2, 1)
