"""The plots show the numbers that they were given, on the Axes that they were given."""

import re
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import dates, pyplot  # noqa: E402

from skrnn.plotting import plot_forecast, plot_history, plot_lr_range, plot_predictions  # noqa: E402
from skrnn.regressor import RNNRegressor  # noqa: E402
from skrnn.windows import SlidingWindowTransformer, future_targets  # noqa: E402


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    pyplot.close("all")
    yield
    for number in pyplot.get_fignums():
        pyplot.figure(number).canvas.draw()  # what cannot be drawn fails here
    pyplot.close("all")


def labels(ax):
    return [line.get_label() for line in ax.lines]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def days(line):
    return dates.num2date(line.get_xdata(orig=False)) if len(line.get_xdata()) else []


# ------------------------------------------------------------------------------------------ learning curves


def make_history(n_epochs, *, validation=True):
    rng = np.random.default_rng(n_epochs)
    parts = ["train", "valid"] if validation else ["train"]
    columns = {f"{part}_{measure}": rng.uniform(size=n_epochs) for part in parts for measure in ("loss", "mae")}
    return pd.DataFrame({"epoch": np.arange(1, n_epochs + 1), "seconds": 0.1, "lr": 0.01, **columns})


def test_history_has_a_panel_for_the_loss_and_one_for_the_error():
    history = make_history(7)
    axes = plot_history(history)
    assert axes.shape == (2,)
    assert len(pyplot.get_fignums()) == 1
    for ax, measure in zip(axes, ("loss", "mae"), strict=True):
        assert labels(ax) == legend(ax) == ["training", "validation"]
        for line, part in zip(ax.lines, ("train", "valid"), strict=True):
            np.testing.assert_array_equal(line.get_xdata(), history["epoch"])
            np.testing.assert_array_equal(line.get_ydata(), history[f"{part}_{measure}"])
        assert ax.get_xlabel() == "epoch"
    assert [ax.get_ylabel() for ax in axes] == ["loss", "mean absolute error (units of y)"]
    assert axes[0].lines[0].get_color() != axes[0].lines[1].get_color()


def test_history_without_validation_or_error():
    loss, error = plot_history(make_history(5, validation=False))
    assert labels(loss) == labels(error) == ["training"]
    loss, error = plot_history(make_history(5)[["epoch", "train_loss"]])
    assert labels(loss) == ["training"]
    assert labels(error) == []


def test_history_of_an_ensemble_has_a_line_for_each_net():
    nets = [make_history(3).assign(net=0), make_history(5).assign(net=1), make_history(2).assign(net=2)]
    loss, _ = plot_history(pd.concat(nets, ignore_index=True))
    assert len(loss.lines) == 6
    assert legend(loss) == ["training", "validation"]
    assert len({line.get_color() for line in loss.lines[:3]}) == 1
    assert loss.lines[0].get_linewidth() < 1
    for line, net in zip(loss.lines, [*nets], strict=False):
        np.testing.assert_array_equal(line.get_ydata(), net["train_loss"])


@pytest.mark.filterwarnings("ignore:The loss still fell")
def test_history_is_found_in_estimators_pipelines_and_searches():
    y = pd.Series(np.sin(np.arange(60.0)), index=pd.date_range("2024", periods=60), name="y")
    pipe = make_pipeline(SlidingWindowTransformer(5), RNNRegressor(hidden_size=2, max_epochs=3, random_state=0))
    pipe.fit(y.to_frame(), future_targets(y, 1))
    history = pipe[-1].history_
    for fitted in (pipe, pipe[-1]):
        loss, error = plot_history(fitted)
        np.testing.assert_array_equal(loss.lines[0].get_ydata(), history["train_loss"])
        np.testing.assert_array_equal(error.lines[0].get_ydata(), history["train_mae"])
    search = GridSearchCV(pipe, {"rnnregressor__hidden_size": [2]}, cv=TimeSeriesSplit(2), error_score="raise")
    search.best_estimator_ = pipe
    assert labels(plot_history(search)[0]) == ["training"]


@pytest.mark.parametrize(
    "source, error, message",
    [
        (RNNRegressor(), TypeError, "`history_` of a fitted estimator of this package, but RNNRegressor has none"),
        (make_pipeline(LinearRegression()), TypeError, "but LinearRegression has none: call fit first"),
        (
            pd.DataFrame({"epoch": [1]}),
            ValueError,
            "with the columns ['epoch', 'train_loss'], got the columns ['epoch']",
        ),
    ],
)
def test_errors_of_history(source, error, message):
    with pytest.raises(error, match=re.escape(message)):
        plot_history(source)


# ---------------------------------------------------------------------------------------- learning rate range


def make_range(**attrs):
    lr = np.geomspace(1e-5, 1, 11)
    results = pd.DataFrame({"lr": lr, "loss": 1 / (1 + lr), "smoothed_loss": 1 / (2 + lr)})
    results.attrs.update(attrs)
    return results


def test_lr_range_is_drawn_over_a_logarithmic_axis():
    results = make_range(suggested_lr=0.02)
    ax = plot_lr_range(results)
    loss, smoothed, mark = ax.lines
    for line, column in ((loss, "loss"), (smoothed, "smoothed_loss")):
        np.testing.assert_array_equal(line.get_xdata(), results["lr"])
        np.testing.assert_array_equal(line.get_ydata(), results[column])
    assert list(mark.get_xdata()) == [0.02, 0.02]
    assert legend(ax) == ["loss", "smoothed loss", "suggested: 0.02"]
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("learning rate", "loss")


def test_lr_range_marks_what_is_suggested():
    assert list(plot_lr_range(make_range(suggested_lr=0.02), suggested=0.3).lines[-1].get_xdata()) == [0.3, 0.3]
    assert labels(plot_lr_range(make_range())) == ["loss", "smoothed loss"]
    assert labels(plot_lr_range(make_range()[["lr", "loss"]])) == ["loss"]


@pytest.mark.parametrize("suggested", [0.0, -1.0, float("nan"), "high", True])
def test_lr_range_refuses_what_is_no_learning_rate(suggested):
    with pytest.raises(ValueError, match="`suggested` must be a number greater than 0, got"):
        plot_lr_range(make_range(), suggested=suggested)


def test_lr_range_needs_its_columns():
    with pytest.raises(ValueError, match=re.escape("with the columns ['lr', 'loss'], got the columns ['lr']")):
        plot_lr_range(pd.DataFrame({"lr": [0.1]}))
    with pytest.raises(ValueError, match="`results` must be a DataFrame .* got list"):
        plot_lr_range([0.1, 0.2])


# ------------------------------------------------------------------------------------------------- forecasts


def test_forecast_of_arrays_counts_rows():
    ax = plot_forecast([1.0, 3.0, np.nan, 2.0], np.array([np.nan, 2.0, 3.0, 5.0]))
    truth, predicted = ax.lines
    assert labels(ax) == legend(ax) == ["truth", "prediction"]
    np.testing.assert_array_equal(truth.get_xdata(), [0, 1, 2, 3])
    np.testing.assert_array_equal(truth.get_ydata(), [1, 3, np.nan, 2])
    np.testing.assert_array_equal(predicted.get_xdata(), [0, 1, 2, 3])
    np.testing.assert_array_equal(predicted.get_ydata(), [np.nan, 2, 3, 5])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("row", "value")


def test_forecast_stands_at_the_labels_of_its_index():
    y = pd.Series(np.arange(7.0), index=pd.date_range("2024-03-01", periods=7, name="day"), name="load")
    ax = plot_forecast(y, y[4:] + 0.5)
    assert [day.day for day in days(ax.lines[0])] == [1, 2, 3, 4, 5, 6, 7]
    assert [day.day for day in days(ax.lines[1])] == [5, 6, 7]
    assert ax.lines[1].get_ydata().tolist() == [4.5, 5.5, 6.5]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("day", "load")
    ax = plot_forecast(y.rename_axis(None).to_frame(), y.to_numpy())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time", "load")


INDEXES = {
    "numbers": (pd.RangeIndex(0, 70, 10), [70.0, 80.0, 90.0]),
    "floats": (pd.Index(np.arange(7) * 0.25, name="time"), [1.75, 2.0, 2.25]),
    "months": (pd.date_range("2024-01-31", periods=7, freq="ME"), ["2024-08-31", "2024-09-30", "2024-10-31"]),
    "month starts without freq": (
        pd.DatetimeIndex(list(pd.date_range("2024-01-01", periods=7, freq="MS"))),
        ["2024-08-01", "2024-09-01", "2024-10-01"],
    ),
    "business days without freq": (
        pd.DatetimeIndex(list(pd.date_range("2024-01-03", periods=7, freq="B"))),
        ["2024-01-12", "2024-01-15", "2024-01-16"],
    ),
    "no step that most have": (
        pd.DatetimeIndex([f"2024-01-{day:02d}" for day in (1, 2, 5, 9, 15, 20, 30)]),
        ["2024-02-03", "2024-02-08", "2024-02-12"],
    ),
    "periods without a step": (
        pd.PeriodIndex([f"2024-01-{day:02d}" for day in (1, 2, 3, 5, 7, 10, 13)], freq="D"),
        ["2024-01-14", "2024-01-15", "2024-01-16"],
    ),
    "labels twice": (pd.Index([0, 0, 0, 0, 0, 1, 2]), [3, 4, 5]),
    "days without freq": (
        pd.DatetimeIndex(list(pd.date_range("2024-01-01", periods=7))),
        ["2024-01-08", "2024-01-09", "2024-01-10"],
    ),
    "days with a hole": (
        pd.date_range("2024-01-01", periods=9).delete([3, 4]),
        ["2024-01-10", "2024-01-11", "2024-01-12"],
    ),
    "periods": (pd.period_range("2024-01", periods=7, freq="M"), ["2024-08-01", "2024-09-01", "2024-10-01"]),
    "zone": (
        pd.date_range("2024-01-01", periods=7, tz="Europe/Berlin"),
        ["2024-01-08", "2024-01-09", "2024-01-10"],
    ),
    "durations": (pd.timedelta_range("0s", periods=7, freq="5s"), [35.0, 40.0, 45.0]),
    "names": (pd.Index(list("abcdefg")), [7, 8, 9]),
}


@pytest.mark.parametrize("index, want", INDEXES.values(), ids=INDEXES)
def test_forecast_of_the_future_stands_after_the_last_row(index, want):
    y = pd.Series(np.arange(7.0), index=index, name="load")
    forecasts = np.arange(21.0).reshape(7, 3)
    ax = plot_forecast(y, forecasts)
    found = ax.lines[1].get_xdata()
    if isinstance(want[0], str):
        assert [str(label)[:10] for label in found] == want
    else:
        assert found.tolist() == want
    assert ax.lines[1].get_ydata().tolist() == [18, 19, 20]
    assert ax.lines[0].get_ydata().tolist() == list(range(7))


def test_labels_say_in_which_unit_time_is():
    def label(index):
        return plot_forecast(pd.Series(np.ones(3), index=index), np.ones(3)).get_xlabel()

    assert label(pd.timedelta_range("0s", periods=3, freq="5s")) == "time (s)"
    assert label(pd.timedelta_range("0s", periods=3, freq="5s", name="age")) == "age (s)"
    assert label(pd.period_range("2024-01", periods=3, freq="M")) == "time"
    assert label(pd.Index([0.0, 0.5, 1.0], name="time")) == "time"
    assert label(pd.Index(list("abc"))) == label(pd.RangeIndex(3)) == "row"


@pytest.mark.parametrize("at", [2, -5])
def test_forecast_made_at_an_earlier_row_stands_after_it(at):
    y = pd.Series(np.arange(7.0), index=pd.date_range("2024-03-01", periods=7))
    forecasts = np.arange(14.0).reshape(7, 2)
    line = plot_forecast(y, forecasts, at=at).lines[1]
    assert [day.day for day in days(line)] == [4, 5]
    assert line.get_ydata().tolist() == [4, 5]
    some = pd.DataFrame(forecasts[[1, 2]], index=y.index[[1, 2]])
    line = plot_forecast(y, some).lines[1]
    assert [day.day for day in days(line)] == [4, 5]
    names = y.set_axis(list("abcdefg"))
    assert plot_forecast(names, some.set_axis(["b", "c"])).lines[1].get_xdata().tolist() == [3, 4]
    assert plot_forecast(y, forecasts, at=5).lines[1].get_xdata()[1] == np.datetime64("2024-03-08")


def test_forecast_may_begin_beyond_the_truth():
    y = pd.Series(np.arange(4.0), index=pd.date_range("2024-03-01", periods=4))
    later = pd.DataFrame([[1.0, 2.0]], index=pd.date_range("2024-03-09", periods=1))
    assert [day.day for day in days(plot_forecast(y, later).lines[1])] == [10, 11]


@pytest.mark.parametrize("horizon", [None, 3])
def test_quantiles_are_bands_around_the_median(horizon):
    y = np.arange(5.0)
    shape = (5, 4) if horizon is None else (5, 3, 4)
    offsets = np.array([-2.0, -1.0, 0.0, 3.0])
    quantiles = np.arange(5.0).reshape(-1, *[1] * (len(shape) - 1)) + np.broadcast_to(offsets, shape)
    ax = plot_forecast(y, quantiles, quantiles=[0.05, 0.25, 0.5, 0.9])
    x = np.arange(5) if horizon is None else np.arange(5, 8)
    middle = y if horizon is None else np.full(3, 4.0)
    assert ax.lines[1].get_xdata().tolist() == x.tolist()
    assert ax.lines[1].get_ydata().tolist() == middle.tolist()
    assert legend(ax) == ["truth", "5 % to 90 %", "25 % to 50 %", "prediction"]
    for band, low, high in zip(ax.collections, (-2, -1), (3, 0), strict=True):
        corners = band.get_paths()[0].vertices
        for place, value in zip(x, middle, strict=True):
            at_place = corners[corners[:, 0] == place, 1]
            assert (at_place.min(), at_place.max()) == (value + low, value + high)


def test_quantiles_without_the_median_have_no_line():
    ax = plot_forecast(np.arange(3.0), np.ones((3, 2)), quantiles=(0.1, 0.9))
    assert labels(ax) == ["truth"]
    assert ax.collections[0].get_label() == "10 % to 90 %"


def test_unknown_parts_of_a_band_are_left_out():
    bands = np.array([[0.0, 1.0], [0.0, 1.0], [np.nan, np.nan], [0.0, 1.0], [0.0, 1.0]])
    ax = plot_forecast(np.arange(5.0), bands, quantiles=(0.1, 0.9))
    assert len(ax.collections[0].get_paths()) == 2


MANY = pd.MultiIndex.from_product([["a", "b"], [0, 1]], names=["shop", "day"])


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ((np.ones(4), np.ones(3)), {}, "`y_pred` must have the 4 rows of `y_true` or an index"),
        ((np.ones((4, 2)), np.ones(4)), {}, "`y_true` must have shape (n_times,) with at least one row, got (4, 2)."),
        ((np.ones(0), np.ones(0)), {}, "`y_true` must have shape (n_times,) with at least one row, got (0,)."),
        ((np.ones(4), np.ones((4, 2, 3))), {}, "(n_samples,) or (n_samples, horizon), got (4, 2, 3)."),
        ((np.ones(4), np.ones((4, 2))), {"at": 4}, "`at` must be a row of `y_pred`, from -4 to 3, got 4."),
        ((np.ones(4), np.ones((4, 2))), {"at": 1.5}, "`at` must be a row of `y_pred`, from -4 to 3, got 1.5."),
        ((np.ones(4), np.ones((4, 2))), {"quantiles": [0.9, 0.1]}, "`quantiles` must rise between 0 and 1, got"),
        ((np.ones(4), np.ones((4, 2))), {"quantiles": [0.1, 1.5]}, "`quantiles` must rise between 0 and 1, got"),
        ((np.ones(4), np.ones((4, 3))), {"quantiles": [0.1, 0.9]}, "must have the 2 `quantiles`, got shape (4, 3)."),
        ((np.ones(4), np.ones(4)), {"quantiles": [0.5]}, "must have the 1 `quantiles`, got shape (4,)."),
        ((pd.Series(np.ones(4), index=MANY), np.ones(4)), {}, "got an index with the levels ['shop', 'day']: choose"),
        (
            (pd.Series(np.ones(4), index=pd.date_range("2024", periods=4)), pd.Series(np.ones(4))),
            {},
            "The index of `y_pred` must be dates, as that of `y_true`, got numbers",
        ),
        (
            (pd.Series(np.ones(2), index=["a", "b"]), pd.Series([1.0], index=["c"])),
            {},
            "The rows of `y_pred` must be rows of `y_true`, got 'c'.",
        ),
        (
            (pd.Series([1.0], index=pd.to_datetime(["2024-01-01"])), np.ones((1, 2))),
            {},
            "`y_true` has 1 row, from which the time of the forecast does not follow",
        ),
    ],
)
def test_errors_of_forecasts(arguments, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        plot_forecast(*arguments, **options)
    assert pyplot.get_fignums() == []


# ----------------------------------------------------------------------------------------------- predictions


def test_predictions_against_the_truth():
    y_true, y_pred = np.array([1.0, np.nan, 3.0, 7.0]), np.array([2.0, 2.0, np.nan, -1.0])
    ax = plot_predictions(y_true, y_pred)
    assert ax.collections[0].get_offsets().tolist() == [[1, 2], [7, -1]]
    assert ax.lines[0].get_slope() == 1
    assert ax.lines[0].get_xy1()[0] == ax.lines[0].get_xy1()[1]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("truth", "prediction")
    assert ax.get_aspect() == 1
    assert ax.get_legend() is None


def test_predictions_of_several_columns_have_a_colour_each():
    y = pd.Series(np.arange(5.0), name="y")
    truth = future_targets(y, 2)
    ax = plot_predictions(truth, truth.to_numpy() + 0.5)
    assert legend(ax) == ["y+1", "y+2"]
    assert [len(points.get_offsets()) for points in ax.collections] == [4, 3]
    assert ax.collections[1].get_offsets().tolist() == [[2, 2.5], [3, 3.5], [4, 4.5]]
    assert legend(plot_predictions(truth.to_numpy(), truth)) == ["0", "1"]


def test_errors_of_predictions():
    with pytest.raises(ValueError, match=re.escape("must have the same shape, (n_samples,) or (n_samples, n_columns)")):
        plot_predictions(np.ones(3), np.ones((3, 1)))
    with pytest.raises(ValueError, match="No pair of `y_true` and `y_pred` is known: each of the 2 has a NaN"):
        plot_predictions([np.nan, 1.0], [1.0, np.nan])


# ------------------------------------------------------------------------------------------------------ axes


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plot_lr_range(make_range(), ax=ax),
        lambda ax: plot_forecast(np.ones(3), np.ones(3), ax=ax),
        lambda ax: plot_predictions(np.ones(3), np.ones(3), ax=ax),
    ],
)
def test_the_axes_given_are_drawn_on_and_returned(draw):
    _, ax = pyplot.subplots()
    assert draw(ax) is ax
    assert len(pyplot.get_fignums()) == 1
    other = draw(None)
    assert other is not ax
    assert len(pyplot.get_fignums()) == 2


def test_the_two_axes_given_are_drawn_on_and_returned():
    _, axes = pyplot.subplots(2, 1)
    drawn = plot_history(make_history(3), ax=axes)
    assert drawn[0] is axes[0]
    assert drawn[1] is axes[1]
    assert len(pyplot.get_fignums()) == 1
    with pytest.raises(ValueError, match=re.escape("`ax` must be 2 Axes, got 1: make them with plt.subplots(1, 2).")):
        plot_history(make_history(3), ax=axes[0])


def test_what_to_install_without_matplotlib(monkeypatch):
    for name in list(sys.modules):
        if name.split(".")[0] == "matplotlib":
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'pip install "skrnn\[examples\]"'):
        plot_history(make_history(3))
