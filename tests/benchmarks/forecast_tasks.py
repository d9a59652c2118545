"""The tasks that forecasts of many steps are measured on: how data are read, split and judged.

Each task knows the parts of its rows by name: "test" for the figures, and parts of the rows before it for the choice
of settings. Real data come from the folder that the environment variable SKRNN_DATA names.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import Seq2SeqForecaster, SlidingWindowTransformer, future_targets
from skrnn.metrics import mase, smape

PENALTIES = np.logspace(-1, 4, 11)
MONTH = 30 * 24  # rows of the ETT split


@dataclass
class Result:
    """What a model reached: errors by name, and seconds of its fit."""

    errors: dict[str, float]
    seconds: float = float("nan")
    model: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Part:
    """Rows of a series: those that train, those that stop the training, and the origins that are judged."""

    train: np.ndarray
    valid: np.ndarray
    judged: np.ndarray


def data_file(name: str) -> Path:
    """Return a file of the data folder, or leave with a message that says how to name the folder."""
    given = os.environ.get("SKRNN_DATA")
    if not given or not (Path(given) / name).is_file():
        sys.exit(f"Set the environment variable SKRNN_DATA to a folder with {name}; got {given!r}.")
    return Path(given) / name


def timed_fit(model: Seq2SeqForecaster, *args: Any, **kwargs: Any) -> float:
    """Fit and return the processor's seconds it took, on one core; waiting for others does not count."""
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the error will tell
        model.fit(*args, **kwargs)
    return time.process_time() - begin


class ETTh1:
    """Seven channels of a transformer, hourly; mean squared error of all of them, in units of the training part.

    12 months of 30 days train, 4 validate, 4 test, as in the papers on this set (Zhou et al. 2021); every origin whose
    whole horizon lies in the part counts, and its window may reach back over the border.
    """

    name = "ETTh1"

    def __init__(self, horizon: int) -> None:
        table = pd.read_csv(data_file("series/ETTh1.csv"), parse_dates=["date"], index_col="date")
        table = table.iloc[: 20 * MONTH]
        train = table.iloc[: 12 * MONTH]
        self.values = (table - train.mean()) / train.std(ddof=0)
        self.horizon = horizon
        self.targets = future_targets(self.values.to_numpy(), horizon)  # (n_times, horizon, 7)

    def part(self, name: str) -> Part:
        """ "test", "validation" (the official months), or "winter" (four training months, left out of the training)."""
        end, months = self.horizon, {"validation": (12, 16), "winter": (4, 8), "test": (16, 20)}[name]
        first, last = (month * MONTH for month in months)
        train, valid = np.arange(12 * MONTH), np.arange(12 * MONTH - 1, 16 * MONTH - end)
        if name == "winter":
            train = train[(train < first - end) | (train >= last)]
        return Part(train, valid, np.arange(first - 1, last - end))

    def judge(self, forecasts: np.ndarray, part: Part) -> dict[str, float]:
        """Mean squared and absolute error of forecasts (n_origins, horizon, 7)."""
        error = forecasts - self.targets[part.judged]
        return {"MSE": float((error**2).mean()), "MAE": float(np.abs(error).mean())}

    def net(self, settings: dict, seed: int, part_name: str) -> Result:
        """Train a net; `settings` are its parameters, and "window"."""
        settings = dict(settings)
        X = SlidingWindowTransformer(settings.pop("window")).fit_transform(self.values)
        part = self.part(part_name)
        targets = np.full_like(self.targets, np.nan)
        targets[part.train] = self.targets[part.train]
        for row in np.flatnonzero(np.diff(part.train, append=0) != 1):  # futures end where the training rows end
            end = part.train[row] + 1
            for step in range(1, self.horizon + 1):
                targets[end - step : end, step - 1 :] = np.nan
        model = Seq2SeqForecaster(random_state=seed, **settings)
        seconds = timed_fit(
            model, X[part.train], targets[part.train], X_val=X[part.valid], y_val=self.targets[part.valid]
        )
        return Result(self.judge(model.predict(X[part.judged]), part), seconds, model)

    def ridge(self, part_name: str, window: int = 96) -> Result:
        """A ridge for each channel on its own last values."""
        part, forecasts = self.part(part_name), []
        for channel in self.values:
            lags = SlidingWindowTransformer(window, flatten=True).fit_transform(self.values[[channel]])
            targets = self.targets[:, :, self.values.columns.get_loc(channel)]
            rows = part.train[(part.train >= window - 1) & (part.train < 12 * MONTH - self.horizon)]
            forecasts.append(Ridge(alpha=1.0).fit(lags[rows], targets[rows]).predict(lags[part.judged]))
        return Result(self.judge(np.stack(forecasts, axis=2), part))

    def seasonal_naive(self, part_name: str) -> Result:
        """The same hour of the day before."""
        part = self.part(part_name)
        return Result(self.judge(self.seasonal_forecasts(part.judged), part))

    def seasonal_forecasts(self, origins: np.ndarray) -> np.ndarray:
        """The same hour of the last day, (n_origins, horizon, 7)."""
        back = origins[:, None] - 23 + np.arange(self.horizon) % 24
        return self.values.to_numpy()[back]


class M4Hourly:
    """414 hourly series of the M4 competition, 48 steps, one net for all: sMAPE in percent and MASE, means over series.

    "test" is the competition's. "validation" cuts the last 48 known steps of each series off and judges there;
    "origins" judges five origins within the last 96.
    """

    name = "M4 hourly"
    horizon, seasonality = 48, 24

    def __init__(self) -> None:
        self.train, self.test = (_rows_of(f"panel/m4_hourly_{part}.csv") for part in ("train", "test"))

    def split(self, part_name: str) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """What trains, and for each judged origin the past and the 48 steps after it."""
        if part_name == "test":
            return self.train, self.train, self.test
        cut = {"validation": 48, "origins": 96}[part_name]
        lasts = [cut] if part_name == "validation" else [96, 84, 72, 60, 48]
        past = [series[: len(series) - last] for last in lasts for series in self.train]
        truth = [series[len(series) - last :][:48] for last in lasts for series in self.train]
        return [series[:-cut] for series in self.train], past, truth

    def judge(self, forecasts: np.ndarray, part_name: str) -> dict[str, float]:
        """Errors of forecasts (n_origins, 48)."""
        train, past, truth = self.split(part_name)
        series = train * (len(past) // len(train))
        errors = [
            (smape(y, f), mase(y, f, in_sample, self.seasonality))
            for y, f, in_sample in zip(truth, forecasts, series, strict=True)
        ]
        return dict(zip(("sMAPE", "MASE"), map(float, np.mean(errors, axis=0)), strict=True))

    def net(self, settings: dict, seed: int, part_name: str) -> Result:
        """Train one net on all series; `settings` are its parameters, and "window"."""
        settings = dict(settings)
        window = settings.pop("window")
        train, past, _ = self.split(part_name)
        table = _panel(train)
        X = SlidingWindowTransformer(window, group="series", time="hour").fit_transform(table)
        place = table["hour"].to_numpy()  # from 0 on in each series
        size = table.groupby("series")["hour"].transform("size").to_numpy()
        rows = np.flatnonzero((place >= window - 1) & (place < size - self.horizon))
        model = Seq2SeqForecaster(random_state=seed, **settings)
        targets = future_targets(table, self.horizon, group="series", time="hour")
        targets = targets.to_numpy() if hasattr(targets, "to_numpy") else targets
        seconds = timed_fit(model, X[rows], targets[rows])
        recent = np.stack([series[-window:] for series in past])[..., None]  # (n_origins, window, 1)
        return Result(self.judge(model.predict(recent), part_name), seconds, model)

    def seasonal_naive(self, part_name: str) -> Result:
        """The same hour of the last day."""
        _, past, _ = self.split(part_name)
        return Result(self.judge(np.stack([np.tile(series[-24:], 2) for series in past]), part_name))


class BeijingPM25:
    """Fine dust in Beijing by the hour, 24 steps ahead, with weather; five years with their real gaps.

    An hour without a measurement is no target. As an input it holds the last one measured, and a flag says so: both are
    known at that hour. 2010-2012 train, 2013 stops the training, 2014 is the test; for the choice of settings
    everything is a year earlier. Errors are in ug/m3, over origins whose 24 hours were all measured.
    """

    name = "Beijing PM2.5"
    horizon = 24
    base: ClassVar[dict[str, Any]] = {
        "window": 24,
        "cell": "gru",
        "hidden_size": 64,
        "decoder": "direct",
        "patch_size": 6,
        "linear_skip": True,
        "window_scaling": None,
        "target_transform": "sqrt",
        "loss": "absolute_error",
        "optimizer": "adamw",
        "lr": 4e-3,
        "lr_schedule": "warmup_cosine",
        "weight_decay": 1.0,
        "batch_size": 256,
        "max_steps": 200,
        "validate_every": 25,
    }
    changes: ClassVar[list[dict[str, Any]]] = [
        {"decoder": "parallel"},
        {"hidden_size": 128, "lr": 2e-3},
        {"weight_decay": 0.1},
        {"window": 48},
        {"input_dropout": 0.1},
        {"max_steps": 400},
        {"target_transform": None},
        {"loss": "huber"},
        {"loss": "squared_error"},
    ]

    def __init__(self) -> None:
        table = pd.read_csv(data_file("series/beijing_pm25.csv"))
        table.index = pd.to_datetime(table[["year", "month", "day", "hour"]])
        dust = table["pm2.5"]
        first = int(np.flatnonzero(dust.notna())[0])
        table, dust = table.iloc[first:], dust.iloc[first:]
        hour, day = table.index.hour, table.index.dayofyear
        self.X = pd.DataFrame({"dust": dust.ffill(), "missing": dust.isna().astype(float)})
        self.X = self.X.join(table[["DEWP", "TEMP", "PRES", "Iws", "Is", "Ir"]])
        self.X = self.X.join(pd.get_dummies(table["cbwd"], dtype=float))
        for name, angle in (("hour", hour / 24), ("year", day / 365.25)):
            self.X[f"sin {name}"], self.X[f"cos {name}"] = np.sin(2 * np.pi * angle), np.cos(2 * np.pi * angle)
        self.targets = future_targets(dust.to_numpy(), self.horizon)  # (n_times, 24), NaN where not measured

    def part(self, name: str) -> Part:
        """ "test" (2014) or "validation" (2013)."""
        year = {"test": 2014, "validation": 2013}[name]
        years = self.X.index.year.to_numpy()
        reach = np.append(years[self.horizon :], np.full(self.horizon, 9999))  # the year of the last target
        known = ~np.isnan(self.targets).all(axis=1)
        judged = (years == year) & (reach == year) & ~np.isnan(self.targets).any(axis=1)
        valid = (years == year - 1) & (reach == year - 1) & known
        return Part(
            *(np.flatnonzero(rows) for rows in ((years < year - 1) & (reach < year - 1) & known, valid, judged))
        )

    def judge(self, forecasts: np.ndarray, part: Part) -> dict[str, float]:
        """Mean absolute and root mean squared error of forecasts (n_origins, 24)."""
        error = forecasts - self.targets[part.judged]
        return {"MAE": float(np.abs(error).mean()), "RMSE": float(np.sqrt((error**2).mean()))}

    def net(self, settings: dict, seed: int, part_name: str) -> Result:
        """Train a net; `settings` are its parameters, and "window"."""
        settings = dict(settings)
        X = SlidingWindowTransformer(settings.pop("window")).fit_transform(self.X)
        part = self.part(part_name)
        model = Seq2SeqForecaster(random_state=seed, target_channels="dust", **settings)
        held_out = {"X_val": X[part.valid], "y_val": self.targets[part.valid]}
        seconds = timed_fit(model, X[part.train], self.targets[part.train], **held_out)
        return Result(self.judge(model.predict(X[part.judged]), part), seconds, model)

    def ridge(self, part_name: str, window: int = 24) -> Result:
        """Ridge on the same rows and channels of the window; its penalty is chosen by the rows that stop the nets."""
        part = self.part(part_name)
        lags = SlidingWindowTransformer(window, flatten=True).fit_transform(self.X)
        train, valid = (rows[~np.isnan(self.targets[rows]).any(axis=1)] for rows in (part.train, part.valid))
        models = [
            make_pipeline(StandardScaler(), Ridge(alpha)).fit(lags[train], self.targets[train]) for alpha in PENALTIES
        ]
        missed = [np.abs(model.predict(lags[valid]) - self.targets[valid]).mean() for model in models]
        return Result(self.judge(models[int(np.argmin(missed))].predict(lags[part.judged]), part))

    def persistence(self, part_name: str) -> Result:
        """The last value measured."""
        part = self.part(part_name)
        return Result(self.judge(self.X["dust"].to_numpy()[part.judged][:, None], part))


def _rows_of(name: str) -> list[np.ndarray]:
    """Read one series a row, without what it is padded with."""
    rows = pd.read_csv(data_file(name), index_col=0).to_numpy(dtype=float)
    return [row[~np.isnan(row)] for row in rows]


def _panel(series: list[np.ndarray]) -> pd.DataFrame:
    """Put series below each other, each with its number and its hours from 0 on."""
    sizes = [len(values) for values in series]
    return pd.DataFrame(
        {
            "series": np.repeat(np.arange(len(series)), sizes),
            "hour": np.concatenate([np.arange(size) for size in sizes]),
            "value": np.concatenate(series),
        }
    )
