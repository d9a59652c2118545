"""The pictures of forecasts, of their errors and of attention show the numbers that they were given."""

import re

import numpy as np
import pandas as pd
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import dates, pyplot  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402

from skrnn.metrics import mean_absolute_error, mean_squared_error  # noqa: E402
from skrnn.plotting import plot_attention, plot_backtest, plot_fan, plot_horizon_error  # noqa: E402
from skrnn.series import SeriesForecaster  # noqa: E402
from skrnn.windows import future_targets  # noqa: E402

NAN = np.nan


@pytest.fixture(autouse=True)
def _every_figure_can_be_drawn():
    pyplot.close("all")
    yield
    for number in pyplot.get_fignums():
        pyplot.figure(number).canvas.draw()
    pyplot.close("all")


def labels(ax):
    return [line.get_label() for line in ax.lines]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def days(line):
    return [day.day for day in dates.num2date(line.get_xdata(orig=False))]


def load(n_days=7, **kwargs):
    return pd.Series(np.arange(float(n_days)), index=pd.date_range("2024-03-01", periods=n_days, **kwargs), name="load")


# -------------------------------------------------------------------------------------------------------- fan


def test_fan_of_arrays_counts_rows():
    ax = plot_fan([1.0, NAN, 3.0], [4.0, 5.0])
    history, forecast = ax.lines
    assert labels(ax) == legend(ax) == ["history", "forecast"]
    assert history.get_xdata().tolist() == [0, 1, 2]
    np.testing.assert_array_equal(history.get_ydata(), [1, NAN, 3])
    assert forecast.get_xdata().tolist() == [3, 4]
    assert forecast.get_ydata().tolist() == [4, 5]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("row", "value")


@pytest.mark.parametrize("as_array", [True, False])
def test_fan_stands_after_the_history_in_time(as_array):
    forecast = load(9)[7:] * 2
    ax = plot_fan(load(), forecast.to_numpy() if as_array else forecast, n_history=3)
    assert days(ax.lines[0]) == [5, 6, 7]
    assert ax.lines[0].get_ydata().tolist() == [4, 5, 6]
    assert days(ax.lines[1]) == [8, 9]
    assert ax.lines[1].get_ydata().tolist() == [14, 16]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time", "load")


@pytest.mark.parametrize(
    "index, want",
    [
        (pd.RangeIndex(10, 50, 10), [50, 60]),
        (pd.timedelta_range("0s", periods=4, freq="5s"), [20, 25]),
        (pd.period_range("2024-01", periods=4, freq="M"), ["2024-05-01", "2024-06-01"]),
        (pd.date_range("2024-01-01", periods=4, tz="Europe/Berlin"), ["2024-01-05", "2024-01-06"]),
        (pd.Index(list("abcd")), [4, 5]),
    ],
)
def test_fan_of_every_kind_of_label(index, want):
    x = plot_fan(pd.Series(np.ones(4), index=index), np.ones(2), n_history=1).lines[1].get_xdata()
    assert [str(label)[:10] for label in x] == want if isinstance(want[0], str) else x.tolist() == want


def test_fan_shades_narrow_intervals_darker_on_top_of_wide_ones():
    forecast, n_ahead = np.array([5.0, 6.0, 7.0]), np.array([1.0, 2.0, 3.0])
    widths = {0.5: 1.0, 0.95: 3.0, 0.8: 2.0}
    intervals = {share: (forecast - width * n_ahead, forecast + 2 * width) for share, width in widths.items()}
    ax = plot_fan(np.arange(4.0), forecast, intervals=intervals)
    assert legend(ax) == ["history", "95 %", "80 %", "50 %", "forecast"]
    opacities = [band.get_alpha() for band in ax.collections]
    assert opacities == sorted(set(opacities))
    for band, width in zip(ax.collections, (3, 2, 1), strict=True):
        corners = band.get_paths()[0].vertices
        for k, x in enumerate((4, 5, 6)):
            at_x = corners[corners[:, 0] == x, 1]
            assert (at_x.min(), at_x.max()) == (forecast[k] - width * n_ahead[k], forecast[k] + 2 * width)


def test_fan_draws_each_sample_as_a_thin_line():
    samples = np.arange(15.0).reshape(3, 5)  # (horizon, n_samples)
    ax = plot_fan(np.arange(4.0), np.ones(3), samples=samples)
    assert legend(ax) == ["history", "samples", "forecast"]
    paths = ax.lines[1:6]
    for path, values in zip(paths, samples.T, strict=True):
        assert path.get_xdata().tolist() == [4, 5, 6]
        assert path.get_ydata().tolist() == values.tolist()
    assert ax.lines[6].get_label() == "forecast"
    assert paths[0].get_linewidth() < ax.lines[6].get_linewidth()


def test_fan_shows_what_came():
    ax = plot_fan(load(), [1.0, 2.0, 3.0], truth=load(9)[6:])
    assert legend(ax) == ["history", "forecast", "truth"]
    assert days(ax.lines[2]) == [7, 8, 9]
    assert ax.lines[2].get_ydata().tolist() == [6, 7, 8]
    ax = plot_fan(load(), load(10)[8:], truth=[5.0, NAN])
    assert days(ax.lines[2]) == [9, 10]
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), [5, NAN])
    names = pd.Series([1.0, 2.0], index=["a", "b"])
    line = plot_fan(names, names.set_axis(["c", "d"]), truth=names.set_axis(["c", "d"])).lines[2]
    assert line.get_xdata().tolist() == [2, 3]


def test_fan_of_one_step_is_a_point():
    ax = plot_fan([1.0], [3.0], samples=[[2.0, 4.0]], truth=[5.0])
    assert [line.get_marker() for line in ax.lines] == ["None", ".", ".", ".", "."]


MANY = pd.MultiIndex.from_product([["a", "b"], [0, 1]], names=["shop", "day"])


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        (([], [1.0]), {}, "`history` must have shape (n_times,) with at least one row, got (0,)."),
        (([1.0, 2.0], []), {}, "`forecast` must have shape (n_times,) with at least one row, got (0,)."),
        (([1.0, 2.0], np.ones((3, 2))), {}, "`forecast` must have shape (n_times,) with at least one row, got (3, 2)."),
        ((pd.Series(np.ones(4), index=MANY), [1.0]), {}, "got an index with the levels ['shop', 'day']: choose one"),
        ((load(), pd.Series([1.0])), {}, "The index of `forecast` must be dates, as that of `history`, got numbers"),
        ((load(), load()[6:]), {}, "must lie after the last row of `history`, 2024-03-07 00:00:00, got a first label"),
        (
            (load(1).set_axis(pd.to_datetime(["2024-03-01"])), [1.0]),
            {},
            "`history` has 1 row, from which the time of the forecast does not follow",
        ),
        (([1.0, 2.0], [1.0]), {"n_history": 0}, "`n_history` must be an int of at least 1, got 0."),
        (
            ([1.0, 2.0], [1.0]),
            {"truth": [1.0, 2.0]},
            "`truth` must have the 1 steps of `forecast` or labels of its own",
        ),
        ((load(), [1.0]), {"truth": pd.Series([1.0])}, "The index of `truth` must be dates, as that of `history`"),
        (([1.0, 2.0], [1.0]), {"samples": [1.0]}, "with the 1 steps of `forecast`, got (1,). Transpose it"),
        (([1.0, 2.0], [1.0, 2.0]), {"samples": np.ones((3, 2))}, "with the 2 steps of `forecast`, got (3, 2)."),
        (([1.0, 2.0], [1.0]), {"intervals": ([0.0], [1.0])}, "as {0.9: (lower, upper)}, got tuple."),
        (
            ([1.0, 2.0], [1.0]),
            {"intervals": {90: ([0.0], [1.0])}},
            "`intervals` must be a dict of shares between 0 and 1",
        ),
        (
            ([1.0, 2.0], [1.0]),
            {"intervals": {0.9: ([0.0], [1.0, 2.0])}},
            "`intervals[0.9]` must be the lower and the upper bounds, each of shape (1,) as the forecast, got shapes "
            "[(1,), (2,)].",
        ),
        (
            ([1.0, 2.0], [1.0, 2.0]),
            {"intervals": {0.9: ([0.0, 3.0], [1.0, 2.0])}},
            "`intervals[0.9]` must be lower, upper: got 3.0 above 2.0 at step 2.",
        ),
    ],
)
def test_errors_of_fans(arguments, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        plot_fan(*arguments, **options)
    assert pyplot.get_fignums() == []


# ------------------------------------------------------------------------------------------ error by step


def rmse(y_true, y_pred, **kwargs):
    return np.sqrt(mean_squared_error(y_true, y_pred, **kwargs))


@pytest.mark.parametrize(
    "metric, reference, label",
    [
        ("mae", mean_absolute_error, "mean absolute error"),
        ("mse", mean_squared_error, "mean squared error"),
        ("rmse", rmse, "root mean squared error"),
    ],
)
@pytest.mark.parametrize("outputs", [(), (2,)])
def test_horizon_error_is_the_metric_of_each_step(metric, reference, label, outputs):
    rng = np.random.default_rng(0)
    y_true, ridge, net = (rng.normal(size=(7, 3, *outputs)) for _ in range(3))
    y_true[5:, 2] = NAN
    ax = plot_horizon_error(y_true, {"ridge": ridge, "net": net}, metric=metric)
    assert labels(ax) == legend(ax) == ["ridge", "net"]
    for line, forecasts in zip(ax.lines, (ridge, net), strict=True):
        assert line.get_xdata().tolist() == [1, 2, 3]
        each = reference(y_true, forecasts, multioutput="raw_values").reshape(3, -1)
        np.testing.assert_allclose(line.get_ydata(), each.mean(axis=1))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step of the horizon", label)


def test_horizon_error_of_one_array_has_no_legend():
    y = pd.Series(np.arange(5.0), name="y")
    ax = plot_horizon_error(future_targets(y, 2), np.zeros((5, 2)))
    assert ax.lines[0].get_ydata().tolist() == [2.5, 3.0]
    assert ax.get_legend() is None


def test_a_step_with_nothing_known_is_a_gap_and_an_output_without_is_left_out():
    y_true = np.ones((3, 2, 2))
    y_true[:, 0] = NAN
    y_true[:, 1, 0] = NAN
    ax = plot_horizon_error(y_true, np.full((3, 2, 2), 4.0))
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [NAN, 3.0])


@pytest.mark.parametrize(
    "y_true, forecasts, options, message",
    [
        (np.ones(3), np.ones((3, 2)), {}, "`y_true` and `forecasts` must have the same shape, got (3,) and (3, 2)."),
        (
            np.ones(3),
            np.ones(3),
            {},
            "`y_true` must have shape (n_samples, horizon) or (n_samples, horizon, n_outputs)",
        ),
        (np.ones((3, 2)), {"net": np.ones((3, 5))}, {}, "`y_true` and `forecasts['net']` must have the same shape"),
        (np.ones((1, 2)), {"net": [[1.0, NAN]]}, {}, "`forecasts['net']` must be finite, got nan in row 0."),
        (np.ones((3, 2)), {}, {}, "`forecasts` must hold at least one array of forecasts, got an empty dict."),
        (np.ones((3, 2)), np.ones((3, 2)), {"metric": "r2"}, "`metric` must be one of 'mae', 'mse', 'rmse', got 'r2'."),
    ],
)
def test_errors_of_horizon_errors(y_true, forecasts, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        plot_horizon_error(y_true, forecasts, **options)
    assert pyplot.get_fignums() == []


# -------------------------------------------------------------------------------------------------- attention


def test_attention_is_an_image_of_the_weights():
    weights = np.array([[0.5, 0.5, NAN], [0.25, 0.75, NAN]])
    ax = plot_attention(weights)
    (image,) = ax.images
    np.testing.assert_array_equal(np.ma.filled(image.get_array(), NAN), weights)
    assert image.get_array().mask.tolist() == np.isnan(weights).tolist()
    assert image.get_clim() == (0, 0.75)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("input step", "output step")
    assert [other.get_ylabel() for other in ax.figure.axes if other is not ax] == ["attention weight"]
    assert ax.get_ylim() == (1.5, -0.5)  # the first step of the output is the top row


def test_attention_has_a_label_for_each_step():
    ax = plot_attention(np.full((2, 3), 1 / 3), input_labels=["ich", "bin", "da"], output_labels=("I am", "here"))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["ich", "bin", "da"]
    assert ax.get_xticks().tolist() == [0, 1, 2]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["I am", "here"]
    assert ax.get_yticks().tolist() == [0, 1]


def test_steps_without_labels_are_counted_in_whole_numbers():
    ax = plot_attention(np.full((2, 3), 1 / 3))
    assert all(tick == int(tick) for tick in [*ax.get_xticks(), *ax.get_yticks()])


@pytest.mark.parametrize(
    "weights, options, message",
    [
        (
            np.ones((2, 3, 5)),
            {},
            "must have shape (n_decoder_steps, n_encoder_steps), got (2, 3, 5). Choose one sample",
        ),
        (np.full((2, 3), NAN), {}, "must hold a weight that is known, got shape (2, 3) with none but NaN."),
        (np.ones((0, 3)), {}, "must hold a weight that is known, got shape (0, 3)"),
        ([[0.5, -0.5]], {}, "must be finite and at least 0, got -0.5 in row 0, column 1."),
        ([[0.5], [np.inf]], {}, "must be finite and at least 0, got inf in row 1, column 0."),
        (np.ones((2, 3)), {"input_labels": ["a", "b"]}, "`input_labels` must be 3 labels, one for each step"),
        (
            np.ones((2, 3)),
            {"output_labels": "ab"},
            "`output_labels` must be 2 labels, one for each step of `weights`, ",
        ),
    ],
)
def test_errors_of_attention(weights, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        plot_attention(weights, **options)
    assert pyplot.get_fignums() == []


# --------------------------------------------------------------------------------------------------- backtest


def backtest_of(index, origins, horizon):
    """Step k from the origin in row r is 10 r + k."""
    rows = [
        {"origin": index[r], "step": k, "time": index[r + k], "forecast": 10.0 * r + k, "actual": 0.0}
        for r in origins
        for k in range(1, horizon + 1)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)  # in no order


def marks(ax):
    return [path.vertices[:, 0].tolist() for path in ax.collections[0].get_paths()]


INDEXES = {
    "numbers": (pd.RangeIndex(7), lambda row: row),
    "floats": (pd.Index(np.arange(7) / 4), lambda row: row / 4),
    "durations": (pd.timedelta_range("0s", periods=7, freq="5s"), lambda row: 5 * row),
    "names": (pd.Index(list("gfedcba")), lambda row: row),
    "dates": (pd.date_range("2024-03-01", periods=7), lambda row: np.datetime64("2024-03-01") + row),
    "zone": (
        pd.date_range("2024-03-01", periods=7, tz="Asia/Tokyo"),
        lambda row: np.datetime64("2024-03-01") + row,
    ),
    "periods": (pd.period_range("2024-03", periods=7, freq="M"), lambda row: np.datetime64("2024-03") + row),
}


@pytest.mark.parametrize("index, place", INDEXES.values(), ids=INDEXES)
def test_backtest_draws_a_line_from_each_origin_over_the_truth(index, place):
    truth = pd.Series(np.arange(7.0), index=index, name="load")
    ax = plot_backtest(backtest_of(index, [1, 3, 4], 2), truth)
    assert legend(ax) == ["truth", "forecast", "origin"]
    assert ax.lines[0].get_ydata().tolist() == truth.tolist()
    assert list(ax.lines[0].get_xdata()) == [place(row) for row in range(7)]
    for line, row in zip(ax.lines[1:], (1, 3, 4), strict=True):
        assert list(line.get_xdata()) == [place(row + 1), place(row + 2)]
        assert line.get_ydata().tolist() == [10 * row + 1, 10 * row + 2]
    want = [place(row) for row in (1, 3, 4)]
    want = dates.date2num(want) if isinstance(want[0], np.datetime64) else want
    assert marks(ax) == [[x, x] for x in want]
    assert ax.get_ylabel() == "load"


def test_backtest_of_one_step_draws_points_and_neighbours_differ_in_colour():
    ax = plot_backtest(backtest_of(pd.RangeIndex(7), [1, 2, 3], 1), np.arange(7.0))
    assert [line.get_marker() for line in ax.lines] == ["None", ".", ".", "."]
    assert [line.get_color() for line in ax.lines[1:]] == ["C0", "C1", "C0"]


def test_the_truth_of_a_backtest_may_lack_the_origins():
    index = pd.date_range("2024-03-01", periods=7)
    ax = plot_backtest(backtest_of(index, [1, 2], 2), pd.Series(np.ones(3), index=index[4:]))
    assert days(ax.lines[1]) == [3, 4]
    assert marks(ax) == [[x, x] for x in dates.date2num(index[1:3])]


def bad(**changes):
    return backtest_of(pd.RangeIndex(7), [1, 2], 2).assign(**changes)


@pytest.mark.parametrize(
    "forecasts, truth, message",
    [
        ([1.0], np.ones(7), "must be a DataFrame with the columns ['origin', 'step', 'time', 'forecast'], got list."),
        (bad().drop(columns="time"), np.ones(7), "`forecasts` must be a DataFrame with the columns ['origin', 'step'"),
        (bad()[:0], np.ones(7), "`forecasts` must have a row for each origin and step, got no rows."),
        (
            pd.concat([bad(series="a"), bad(series="b")[:1]]),
            np.ones(7),
            "must have one row for each origin and step, got several of origin ",
        ),
        (
            bad(),
            load(),
            "The column 'origin' of `forecasts` must be dates, as that of the index of `truth`, got numbers",
        ),
        (bad(time=list("abcd")), np.ones(7), "The column 'time' of `forecasts` must be numbers"),
        (bad(), np.ones((7, 2)), "`truth` must have shape (n_times,) with at least one row, got (7, 2)."),
        (
            bad(origin="x", step=[1, 2, 3, 4], time="x"),
            pd.Series(np.ones(2), index=["a", "b"]),
            "The rows of `forecasts.origin` must be rows of `truth`, got 'x'.",
        ),
    ],
)
def test_errors_of_backtests(forecasts, truth, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        plot_backtest(forecasts, truth)
    assert pyplot.get_fignums() == []


# ------------------------------------------------------------------------------------------------------- axes


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plot_fan(np.ones(3), np.ones(2), ax=ax),
        lambda ax: plot_horizon_error(np.ones((3, 2)), np.ones((3, 2)), ax=ax),
        lambda ax: plot_attention(np.ones((3, 2)), ax=ax),
        lambda ax: plot_backtest(backtest_of(pd.RangeIndex(7), [1, 2], 2), np.ones(7), ax=ax),
    ],
)
def test_the_axes_given_are_drawn_on_and_returned(draw):
    _, ax = pyplot.subplots()
    assert draw(ax) is ax
    assert len(pyplot.get_fignums()) == 1
    assert draw(None) is not ax
    assert len(pyplot.get_fignums()) == 2


def test_the_result_of_a_backtest_is_drawn_as_it_is():
    series = pd.Series(np.sin(np.arange(60.0)), index=pd.date_range("2024", periods=60), name="load")
    result = SeriesForecaster(Ridge(), window=7, horizon=3).backtest(series, n_splits=2)
    drawn, expected = plot_backtest(result, series), plot_backtest(result.forecasts, series)
    for line, other in zip(drawn.lines, expected.lines, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), other.get_ydata())
    assert len(drawn.lines) >= 3
