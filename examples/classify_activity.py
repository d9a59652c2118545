"""Tell from sensors what people are doing, by a recurrent net: made data, or recordings of your own.

    python examples/classify_activity.py
    python examples/classify_activity.py --train FILE.ts --test FILE.ts
    python examples/classify_activity.py --folder FOLDER --person

A `.ts` file is what the UEA archive, sktime and aeon write; without `--test` the recordings of `--train` are judged by
cross-validation. FOLDER has a folder for each class, with a CSV file for each recording: rows are time steps, columns
are channels, with or without a header. With `--person` the part of a file's name before the first `_` says whose
recording it is, and nobody is in both the training and the test part.

The net reads the recordings as they are, of whatever length. It is set against what one would do without it: mean,
deviation, minimum and maximum of each channel, given to a logistic regression and to a forest.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, recall_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skrnn import RNNClassifier
from skrnn.datasets import make_activity, read_ts

matplotlib.use("Agg")  # draw into a file, also where there is no screen
from matplotlib import pyplot as plt  # noqa: E402

NET = "recurrent net"


class InputError(Exception):
    """Something that the person who started the program can put right."""


@dataclass(frozen=True)
class Recordings:
    """Recordings, their classes, and whose they are where that is known."""

    X: list[np.ndarray]  # each (n_steps, n_channels)
    y: np.ndarray
    people: np.ndarray | None = None


# -- 1. Read the recordings --------------------------------------------------------------------------------------


def read_archive(path: Path) -> Recordings:
    """Read a `.ts` file."""
    try:
        X, y = read_ts(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # names the line
        raise InputError(str(error)) from error
    if y is None or y.dtype.kind == "f":
        raise InputError(f"{path} has no classes: its header must say @classLabel true.")
    return Recordings([without_padding(x, f"{path}, recording {i + 1}") for i, x in enumerate(X)], y)


def read_folder(folder: Path, by_person: bool) -> Recordings:
    """Read a CSV file for each recording, from a folder for each class."""
    files = sorted(folder.glob("*/*.csv"))
    if not files:
        raise InputError(f"{folder} must hold a folder for each class, with CSV files in it; found none.")
    X = [without_padding(read_recording(file), str(file)) for file in files]
    for file, x in zip(files, X, strict=True):
        if x.shape[1] != X[0].shape[1]:
            raise InputError(f"{file} has {x.shape[1]} columns, but {files[0]} has {X[0].shape[1]}.")
    people = np.array([file.stem.split("_")[0] for file in files]) if by_person else None
    return Recordings(X, np.array([file.parent.name for file in files]), people)


def read_recording(file: Path) -> np.ndarray:
    """Return (n_steps, n_channels); a first row without a single number is a header."""
    try:
        table = pd.read_csv(file, header=None, dtype=str, skipinitialspace=True)
    except (OSError, ValueError) as error:  # what pandas and the decoder raise
        raise InputError(f"{file} is no table of comma-separated values: {str(error).strip()}.") from error
    numbers = table.apply(pd.to_numeric, errors="coerce")
    if numbers.iloc[0].isna().all():
        table, numbers = table.iloc[1:], numbers.iloc[1:]
    wrong = np.argwhere((numbers.isna() & table.notna()).to_numpy())
    if len(wrong):
        row, column = wrong[0]
        raise InputError(f"{file}: expected numbers, got {table.iat[row, column]!r} in line {table.index[row] + 1}.")
    return numbers.to_numpy(dtype=float)


def without_padding(x: np.ndarray, name: str) -> np.ndarray:
    """Cut off empty steps at both ends; what is missing in between must be filled in by whoever knows how."""
    known = np.flatnonzero(~np.isnan(x).all(axis=1))
    if not len(known):
        raise InputError(f"{name} is empty.")
    x = x[known[0] : known[-1] + 1]
    if not np.isfinite(x).all():
        step = np.flatnonzero(~np.isfinite(x).all(axis=1))[0] + known[0] + 1
        raise InputError(f"{name} has a missing or infinite value in step {step}. Fill gaps in first.")
    return x


# -- 2. The models, and how they are judged ----------------------------------------------------------------------


def summaries(X: list[np.ndarray]) -> np.ndarray:
    """Return mean, standard deviation, minimum and maximum of each channel, (n_recordings, 4 * n_channels)."""
    return np.array([np.concatenate([x.mean(0), x.std(0), x.min(0), x.max(0)]) for x in X])


def models(X: list[np.ndarray], small: bool) -> dict[str, object]:
    """Return the net and what it is set against."""
    net = RNNClassifier(
        "gru",
        hidden_size=32,
        bidirectional=True,
        patch_size=4 if np.median([len(x) for x in X]) >= 40 else 1,  # four steps read as one: four times as fast
        input_dropout=0.1,
        label_smoothing=0.1,
        batch_size=16 if len(X) < 500 else "auto",  # few recordings need their updates
        max_epochs=3 if small else 30,
        random_state=0,
    )
    summary = FunctionTransformer(summaries)
    return {
        NET: net,
        "forest of summaries": make_pipeline(summary, RandomForestClassifier(20 if small else 300, random_state=0)),
        "logistic regression of them": make_pipeline(summary, StandardScaler(), LogisticRegression(max_iter=2000)),
        "most frequent class": make_pipeline(summary, DummyClassifier()),
    }


def folds_of(data: Recordings, small: bool) -> GroupKFold | StratifiedKFold:
    """Return folds that keep people together where they are known, else classes in their shares."""
    wanted = 3 if small else 5
    if data.people is not None:
        n_people = len(set(data.people))
        if n_people < 2:
            raise InputError("--person needs recordings of at least two people; all file names begin alike.")
        return GroupKFold(min(wanted, n_people))
    names, counts = np.unique(data.y, return_counts=True)
    if counts.min() < 2:
        raise InputError(f"Each class needs at least two recordings, got one of {names.tolist()[counts.argmin()]!r}.")
    return StratifiedKFold(min(wanted, counts.min()), shuffle=True, random_state=0)


def judge(data: Recordings, test: Recordings | None, small: bool) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return what each model predicts for recordings that it did not learn from, and how long that took."""
    predicted, seconds = {}, {}
    for name, model in models(data.X, small).items():
        begun = time.monotonic()
        if test is not None:
            predicted[name] = clone(model).fit(data.X, data.y).predict(test.X)
        else:
            predicted[name] = cross_val_predict(model, data.X, data.y, groups=data.people, cv=folds_of(data, small))
        seconds[name] = time.monotonic() - begun
    return predicted, seconds


# -- 3. Tables, verdict, picture ---------------------------------------------------------------------------------


def print_tables(truth: np.ndarray, predicted: dict[str, np.ndarray], seconds: dict[str, float]) -> str:
    """Print accuracies, the recall of each class and a verdict; return the best model without a net."""
    rows = {
        name: {
            "accuracy": accuracy_score(truth, values),
            "mean recall": recall_score(truth, values, average="macro", zero_division=0),
            "seconds": seconds[name],
        }
        for name, values in predicted.items()
    }
    print(pd.DataFrame.from_dict(rows, orient="index").to_string(float_format="{:.3f}".format))

    rival = max(list(predicted)[1:], key=lambda name: rows[name]["accuracy"])
    classes = np.unique(truth)
    recalls = {
        name: recall_score(truth, predicted[name], labels=classes, average=None, zero_division=0)
        for name in (NET, rival)
    }
    table = pd.DataFrame({"recordings": [np.sum(truth == one) for one in classes], **recalls}, index=classes)
    print("\nRecall, the share of the recordings of a class that are found:")
    print(table.to_string(float_format="{:.2f}".format))
    wrong = pd.Series(zip(truth, predicted[NET], strict=True))[truth != predicted[NET]]
    for (true, taken), count in wrong.value_counts().head(3).items():
        print(f"  {true} taken for {taken} by the net: {count}")

    net_alone = int(np.sum((predicted[NET] == truth) & (predicted[rival] != truth)))
    rival_alone = int(np.sum((predicted[NET] != truth) & (predicted[rival] == truth)))
    both = net_alone + rival_alone
    p = binomtest(net_alone, both).pvalue if both else 1.0
    print(f"\nOnly the net is right on {net_alone} recordings, only the {rival} on {rival_alone}", end=" ")
    print(f"(sign test: p = {p:.2g}).")
    better = NET if net_alone > rival_alone else rival
    print(f"The {better} is better here." if p < 0.05 else "So many recordings cannot tell which of the two is better.")
    return rival


def draw(truth: np.ndarray, predicted: dict[str, np.ndarray], rival: str, path: Path) -> None:
    """Draw the confusion matrix of the net beside that of its best rival, as shares of each true class."""
    classes = np.unique([truth, predicted[NET], predicted[rival]])
    size = max(4.5, 0.55 * len(classes))
    figure, grid = plt.subplots(1, 2, figsize=(2 * size, size), layout="constrained", sharey=True)
    for axes, name in zip(grid, (NET, rival), strict=True):
        ConfusionMatrixDisplay.from_predictions(
            truth,
            predicted[name],
            labels=classes,
            normalize="true",
            values_format=".2f",
            xticks_rotation="vertical",
            cmap="Blues",
            ax=axes,
            colorbar=False,
            im_kw={"vmin": 0, "vmax": 1},
            text_kw={"fontsize": 8},
        )
        accuracy = accuracy_score(truth, predicted[name])
        axes.set_title(f"{name}: {accuracy:.1%} right", loc="left", weight="bold")
        axes.set(xlabel="predicted", ylabel="true" if axes is grid[0] else "")
    figure.savefig(path, dpi=130)
    plt.close(figure)


# -- The program -------------------------------------------------------------------------------------------------


def read_data(options: argparse.Namespace) -> tuple[Recordings, Recordings | None]:
    """Return what to learn from, and what to judge by where that is given apart."""
    if options.output.suffix.lower() != ".png" or not options.output.resolve().parent.is_dir():
        raise InputError(f"--output must be a file .png in a folder that exists, got {options.output}.")
    if options.test is not None and options.train is None:
        raise InputError("--test goes with --train FILE, which was not given.")
    if options.person and options.folder is None:
        raise InputError("--person goes with --folder FOLDER, which was not given.")
    if options.train is not None:
        data = read_archive(options.train)
    elif options.folder is not None:
        data = read_folder(options.folder, options.person)
    else:
        data = Recordings(*make_activity(90 if options.small else 400, n_steps=(60, 140), random_state=0))
    if len(set(data.y)) < 2:
        raise InputError(f"There must be at least two classes, got only {str(data.y[0])!r}.")
    test = read_archive(options.test) if options.test is not None else None
    if test is not None:
        if test.X[0].shape[1] != data.X[0].shape[1]:
            counts = f"{test.X[0].shape[1]} channels, but {options.train} has {data.X[0].shape[1]}"
            raise InputError(f"{options.test} has {counts}.")
        if unknown := set(test.y) - set(data.y):
            raise InputError(f"{options.test} has the class {str(min(unknown))!r}, which {options.train} has not.")
    else:
        for rows, _ in folds_of(data, options.small).split(data.X, data.y, data.people):
            if len(set(data.y[rows])) < 2:
                raise InputError("--person: without the recordings of some people only one class is left.")
    return data, test


def main() -> None:
    """Read, judge, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--train", type=Path, metavar="FILE.ts", help="recordings of your own to learn from")
    source.add_argument("--folder", type=Path, metavar="FOLDER", help="a folder of CSV files for each class")
    parser.add_argument("--test", type=Path, metavar="FILE.ts", help="recordings to judge by, beside --train")
    parser.add_argument("--person", action="store_true", help="file names of FOLDER begin with a person and _")
    parser.add_argument("--output", type=Path, metavar="PNG", default=Path("activity.png"), help="the picture")
    parser.add_argument("--small", action="store_true", help="few recordings and epochs: shows in seconds that it runs")
    options = parser.parse_args()
    started = time.monotonic()
    warnings.simplefilter("ignore", ConvergenceWarning)  # the table tells what the epochs are worth
    try:
        data, test = read_data(options)
    except InputError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    if options.small:
        print("Small setting, few epochs: it shows that the program runs, not what the net can do.\n")
    lengths = sorted({len(x) for x in data.X})
    steps = f"{lengths[0]} to {lengths[-1]}" if len(lengths) > 1 else f"{lengths[0]}"
    print(
        f"{len(data.X)} recordings of {steps} steps and {data.X[0].shape[1]} channels, {len(set(data.y))} classes;",
        end="",
    )
    if test is not None:
        print(f" judged by {len(test.X)} others.\n")
    else:
        folds = folds_of(data, options.small)
        what = "other people" if data.people is not None else "other recordings"
        print(f" each is judged by a model that learned from {what} ({folds.get_n_splits()} folds).\n")
    truth = data.y if test is None else test.y
    predicted, seconds = judge(data, test, options.small)
    rival = print_tables(truth, predicted, seconds)
    draw(truth, predicted, rival, options.output)
    print(f"\nPicture: {options.output.resolve()}\nDone in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
