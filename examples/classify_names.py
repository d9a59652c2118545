"""Tell by its letters which kind of name it is: names of made languages, or lists of your own.

    python examples/classify_names.py
    python examples/classify_names.py --names Katovala Timsen
    python examples/classify_names.py --files boys.txt girls.txt --names Kim Alexis

Each of the files holds the names of one class, one a line; the class has the file's name. Names that stand in two files
are left out. `TokenEmbedder(analyzer="char")` turns a name into letters, whose vectors are learned along with the net.
It is set against what a plain model reads of names: the counts of all pieces of one to four letters.

The made languages share their letters and nearly all of their endings. Northern names have vowels of one kind only,
front (e, i) or back (a, o); Southern names have both kinds, and Eastern names say a syllable twice.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, f1_score, log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline

from skrnn import RNNClassifier, TokenEmbedder

matplotlib.use("Agg")  # draw into a file, also where there is no screen
from matplotlib import pyplot as plt  # noqa: E402

NET = "recurrent net"


class InputError(Exception):
    """Something that the person who started the program can put right."""


# -- 1. The names ------------------------------------------------------------------------------------------------


def read_names(files: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return the different names and the class of each."""
    if len({file.stem for file in files}) < max(2, len(files)):
        raise InputError("--files needs at least two files, one for each class, with different names.")
    lists = {}
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8-sig").split("\n")
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{file} is no text in UTF-8: {error}.") from error
        lists[file.stem] = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
        if long := [name for name in lists[file.stem] if len(name) > 100]:
            raise InputError(f"{file} must have one name a line, got {long[0][:60]!r}…")
    times = pd.Series([name for names in lists.values() for name in names]).value_counts()
    several = set(times.index[times > 1])
    if several:
        print(f"{len(several)} names stand in more than one file and are left out, such as {min(several)}.")
    for label, names in lists.items():
        lists[label] = [name for name in names if name not in several]
        if len(lists[label]) < 10:
            raise InputError(f"Each file must hold at least 10 names of its own, got {len(lists[label])} of {label!r}.")
    names = np.array([name for names in lists.values() for name in names], dtype=object)
    return names, np.repeat(list(lists), [len(names) for names in lists.values()])


def make_names(n_names: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make different names of three languages."""
    random = np.random.default_rng(seed)
    found: dict[str, str] = {}
    while len(found) < n_names:
        language = ("Eastern", "Northern", "Southern")[len(found) % 3]
        vowels = str(random.choice(["ei", "ao"])) if language == "Northern" else "aeio"
        onsets = list("bdfhklmnprstvz") + ["st", "kr"]
        syllables = [random.choice(onsets) + random.choice(list(vowels)) for _ in range(random.integers(2, 5))]
        if language == "Eastern":
            place = random.integers(len(syllables))
            syllables.insert(place, syllables[place])
        ending = random.choice(["", "", "n", "s", "m", "nd" if language == "Southern" else "l"])
        found.setdefault(("".join(syllables) + ending).capitalize(), language)
    return np.array(list(found), dtype=object), np.array(list(found.values()))


# -- 2. The models -----------------------------------------------------------------------------------------------


def models(n_names: int, small: bool) -> dict[str, Pipeline]:
    """Return the net, pieces of names for a logistic regression, and always the most frequent class."""
    net = make_pipeline(
        TokenEmbedder(dim=16, analyzer="char", random_state=0),
        RNNClassifier(
            hidden_size=48,
            bidirectional=True,
            input_dropout=0.1,
            lr_schedule="onecycle",
            batch_size=32 if n_names >= 1000 else 16,
            max_epochs=2 if small else int(np.clip(120_000 // n_names, 10, 60)),
            random_state=0,
        ),
    )
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    return {
        NET: net,
        "pieces of 1 to 4 letters": make_pipeline(pieces, LogisticRegression(C=10, max_iter=2000)),
        "most frequent class": make_pipeline(pieces, DummyClassifier()),
    }


def judge(names: np.ndarray, labels: np.ndarray, small: bool) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Return the probabilities of names that a model did not learn from, (n_names, n_classes), and scores."""
    classes = np.unique(labels)
    folds = StratifiedKFold(2 if small else 3, shuffle=True, random_state=0)
    probabilities, rows = {}, {}
    for name, model in models(len(names), small).items():
        begun = time.monotonic()
        made = cross_val_predict(model, names, labels, cv=folds, method="predict_proba")
        probabilities[name] = made
        predicted = classes[made.argmax(axis=1)]
        rows[name] = {
            "accuracy": accuracy_score(labels, predicted),
            "mean F1": f1_score(labels, predicted, average="macro", zero_division=0),
            "log loss": log_loss(labels, made, labels=classes),
            "seconds": time.monotonic() - begun,
        }
    return probabilities, pd.DataFrame.from_dict(rows, orient="index")


# -- 3. Verdict, given names, picture ----------------------------------------------------------------------------


def print_verdict(labels: np.ndarray, probabilities: dict[str, np.ndarray]) -> None:
    """Say whether the names on which only one of two models is right can tell which is better."""
    classes = np.unique(labels)
    right = {name: classes[values.argmax(axis=1)] == labels for name, values in probabilities.items()}
    net, pieces = list(right.values())[:2]
    ours, theirs = int(np.sum(net & ~pieces)), int(np.sum(~net & pieces))
    p = binomtest(ours, ours + theirs).pvalue if ours + theirs else 1.0
    print(f"\nOnly the net is right on {ours} names, only the pieces on {theirs} (sign test: p = {p:.2g}).")
    better = "net is" if ours > theirs else "pieces are"
    print(f"The {better} better here." if p < 0.05 else "So many names cannot tell which of the two is better.")


def print_mistakes(names: np.ndarray, labels: np.ndarray, probability: np.ndarray) -> None:
    """Print the names of each class that the net is surest to be of another."""
    classes = np.unique(labels)
    print("\nNames that the net is most wrong about, and what it thinks of them:")
    for column, label in list(enumerate(classes))[:10]:
        rows = np.flatnonzero(labels == label)
        worst = rows[np.argsort(probability[rows, column], kind="stable")][:5]
        thoughts = [f"{names[i]} ({classes[probability[i].argmax()]} {probability[i].max():.2f})" for i in worst]
        print(f"  {label}: {', '.join(thoughts)}")


def print_given(model: Pipeline, given: list[str], known: np.ndarray) -> None:
    """Print the probability of each class for some names, as a table."""
    table = pd.DataFrame(model.predict_proba(given), index=given, columns=model.classes_)
    lower = {name.lower() for name in known}
    table["learned from"] = ["yes" if name.lower() in lower else "" for name in given]
    print(f"\nProbabilities, by a net that learned from all names:\n{table.to_string(float_format='{:.2f}'.format)}")


def draw(labels: np.ndarray, probability: np.ndarray, model: Pipeline, path: Path) -> None:
    """Draw the confusion matrix of the net, and the vectors of the letters that it learned."""
    embedder, net = model
    vocabulary = {token: i for token, i in embedder.vocabulary_.items() if token not in ("<pad>", "<unk>", " ")}
    vectors = net.net_.module_.embedding.table(0).detach().cpu().numpy()[list(vocabulary.values())]
    places = PCA(2, random_state=0).fit_transform(vectors)  # (n_letters, 2)
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5.5), layout="constrained")
    classes = np.unique(labels)
    ConfusionMatrixDisplay.from_predictions(
        labels,
        classes[probability.argmax(axis=1)],
        normalize="true",
        values_format=".2f",
        cmap="Blues",
        xticks_rotation="vertical" if len(classes) > 5 else "horizontal",
        ax=left,
        colorbar=False,
        im_kw={"vmin": 0, "vmax": 1},
    )
    left.set_title("Names that the net did not learn from", loc="left", weight="bold")
    left.set(xlabel="predicted", ylabel="true")
    for letter, (x, y) in zip(vocabulary, places, strict=True):
        right.text(x, y, letter, color="tab:red" if letter in "aeiouy" else "tab:blue", weight="bold", ha="center")
    margin = 0.1 * np.ptp(places, axis=0)
    right.set(xlim=(places[:, 0].min() - margin[0], places[:, 0].max() + margin[0]), xticks=[])
    right.set(ylim=(places[:, 1].min() - margin[1], places[:, 1].max() + margin[1]), yticks=[])
    right.set_title("Learned vectors of letters, two components", loc="left", weight="bold")
    figure.savefig(path, dpi=130)
    plt.close(figure)


# -- The program -------------------------------------------------------------------------------------------------


def read_data(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return names and classes, or say what is wrong."""
    if options.output.suffix.lower() != ".png" or not options.output.resolve().parent.is_dir():
        raise InputError(f"--output must be a file .png in a folder that exists, got {options.output}.")
    if not all(name.strip() for name in options.names):
        raise InputError("--names must not be empty.")
    if options.files is None:
        return make_names(300 if options.small else 3000)
    return read_names(options.files)


def main() -> None:
    """Read, judge, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--files", type=Path, metavar="FILE", nargs="+", help="names of your own, a file for each class"
    )
    parser.add_argument("--names", metavar="NAME", nargs="+", default=[], help="names to tell the class of")
    parser.add_argument("--output", type=Path, metavar="PNG", default=Path("names.png"), help="the picture")
    parser.add_argument("--small", action="store_true", help="few names and epochs: shows in seconds that it runs")
    options = parser.parse_args()
    started = time.monotonic()
    warnings.simplefilter("ignore", ConvergenceWarning)  # the table tells what the epochs are worth
    try:
        names, labels = read_data(options)
    except InputError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    if options.small:
        print("Small setting, few names and epochs: it shows that the program runs, not what the net can do.\n")
    counts = ", ".join(f"{count} {label}" for label, count in zip(*np.unique(labels, return_counts=True), strict=True))
    print(f"{len(names)} names ({counts}), each judged by a model that did not learn from it:\n")

    probabilities, table = judge(names, labels, options.small)
    print(table.to_string(float_format="{:.3f}".format))
    print_verdict(labels, probabilities)
    print_mistakes(names, labels, probabilities[NET])
    model = models(len(names), options.small)[NET].fit(names, labels)
    given = options.names or ([] if options.files else ["Kekitem", "Kakotam", "Kekotam", "Kokotam", "Kokokotam"])
    if given:
        print_given(model, given, names)
    draw(labels, probabilities[NET], model, options.output)
    print(f"\nPicture: {options.output.resolve()}\nDone in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
