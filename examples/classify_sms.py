"""Find spam among messages by a recurrent net that reads words: made messages, or a file of your own.

    python examples/classify_sms.py
    python examples/classify_sms.py --file FILE --spam LABEL

FILE has a message in each line, `label<TAB>text`, with two labels; LABEL is the one to look for (default: "spam", else
the rarer one). A part of the messages is set aside as test messages. The net reads words and how they are spelled
(`words_with_shapes`), learns from the others and is set against the usual solution, a linear SVM on TF-IDF weighted
words.

A lost message is worse than spam that gets through. So scikit-learn's `TunedThresholdClassifierCV` sets the probability
from which a message is called spam so that F0.5, which counts precision more than recall, is best; it does that by
training messages alone. Some of the made messages are what friends write as well as spammers, so no model finds all.
"""

from __future__ import annotations

import argparse
import re
import textwrap
import time
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import (
    PrecisionRecallDisplay,
    accuracy_score,
    fbeta_score,
    make_scorer,
    precision_recall_fscore_support,
)
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from skrnn import RNNClassifier, TokenEmbedder, words_with_shapes

matplotlib.use("Agg")  # draw into a file, also where there is no screen
from matplotlib import pyplot as plt  # noqa: E402


class InputError(Exception):
    """Something that the person who started the program can put right."""


# -- 1. The messages ---------------------------------------------------------------------------------------------


def read_messages(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the texts and their labels."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8: {error}.") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        label, tab, text = line.partition("\t")
        if line.strip() and not tab:
            raise InputError(f"{path}, line {number}: expected label<TAB>text, got {line[:60]!r} without a tab.")
        if line.strip():
            rows.append((label.strip(), text.strip()))
    labels, counts = np.unique([label for label, _ in rows], return_counts=True)
    if len(labels) != 2 or counts.min() < 10:
        found = ", ".join(
            f"{label!r} ({count})" for label, count in list(zip(labels.tolist(), counts, strict=True))[:5]
        )
        raise InputError(f"{path} must have two labels with at least 10 messages each, got {found or 'nothing'}.")
    return np.array([text for _, text in rows], dtype=object), np.array([label for label, _ in rows])


WORDS = {
    "name": "Anna Ben Chris Dora Eli Fay Gus Hana Ian Jo Kim Leo Mia Ned Olga Pat".split(),
    "place": "the station,work,home,the gym,the library,town,the cafe,school,the office".split(","),
    "when": "tonight,tomorrow,on friday,at 6,after work,later,next week,in an hour,by 10,this weekend".split(","),
    "thing": "phone,laptop,holiday,voucher,watch,car,camera,ticket,bike,gift card".split(","),
    "sum": "£50 £100 £250 £500 £1000 $900 £20 £2.99".split(),
    "site": "winbig.example parcels.example bonus4u.example pay.example mybank.example".split(),
    "shop": "FastPost,Corner Books,City Bank,TopMobile,Green Grocer,the clinic".split(","),
}
# Much of this differs in a word or in the order of words alone, and some of the last part is what friends write, too.
CHAT = """are you at {place}|can you pick up {name} from {place} {when}|ok, {when} then|i'm late, sorry|see you {when}?
did you see my {thing} anywhere?|lol no way|happy birthday {name}, call me {when}|{name} says hi|you owe me {sum}
i won a {thing}! tell you {when}|thanks for the {thing}, i love it|are you free {when}? need to talk|new {thing}, wow
my {thing} is broken again, can i use your {thing}|{name} gets a free {thing} with it, no catch|running to {place} now
can i pay you back {when}? i have {sum}|meeting moved, it's {when} now|call me on 07{digits}|don't forget the {thing}
hi it's {name}, this is my new number|urgent, call {name} now!|what a prize {name} is|i owe you {sum} for the {thing}"""
BUSINESS = """{shop}: your order is ready, collect it {when}|{shop}: your code is {digits}, never share it
{shop}: your parcel comes {when}, nothing to pay, see {site}|reminder from {shop}: confirm your appointment {when}
{shop}: your bill of {sum} is paid, thank you|{shop}: we are closed {when}|{shop}: your {thing} is here, free to collect
{shop}: you have {sum} left on your account|{shop}: last chance to change your order is {when}, see {site}"""
LURES = """you won a {thing}! tell us at {site}|a free {thing} for you, text WIN to {digits}|your prize of {sum} waits
{name}, you get {sum} from us|urgent, call 09{digits} now!|reply YES, get a free {thing} with it|we owe you {sum}
{sum} loan {when}, no checks, see {site}|last chance! your {thing} offer ends {when}|text STOP to {digits} to end
call 09{digits}, new friends at {place}|work from home, have {sum} {when}|no catch: {sum} {when}, see {site}"""
DISGUISED = """{shop}: your parcel waits, {sum} to pay at {site}|{shop}: your account is closed, confirm it at {site}
hi it's {name}, my {thing} is broken, this is my new number|{shop}: share your code {digits} to collect your order
can you pay my bill of {sum}? i pay you back {when}|{shop}: your bill of {sum} is not paid, call 09{digits}
are you free {when}?|call me on 07{digits}|hi it's {name}, this is my new number|{name} says hi, see {site}"""
SHORT = {
    "you": "u",
    "are": "r",
    "see": "c",
    "please": "pls",
    "tonight": "2nite",
    "for": "4",
    "to": "2",
    "thanks": "thx",
}


def make_messages(n_messages: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make messages, a seventh of them spam: chat and business, lures and spam that looks like either of these."""
    random = np.random.default_rng(seed)
    kinds = [("ham", CHAT, 0.7), ("ham", BUSINESS, 0.16), ("spam", LURES, 0.08), ("spam", DISGUISED, 0.06)]
    texts, labels = [], []
    for kind in random.choice(len(kinds), n_messages, p=[share for *_, share in kinds]):
        label, templates, _ = kinds[kind]
        chosen = random.choice(re.split(r"[|\n]", templates), size=random.integers(1, 3), replace=False).tolist()
        if label == "spam" and random.random() < 0.4:  # small talk around it
            chosen.insert(random.integers(len(chosen) + 1), random.choice(re.split(r"[|\n]", CHAT)))
        filled = {name: random.choice(words) for name, words in WORDS.items()}
        words = ". ".join(chosen).format(**filled, digits=random.integers(10_000, 1_000_000)).split()
        if random.random() < 0.4:
            words = [SHORT.get(word, word) for word in words]
        text = " ".join(mistyped(word, random) if random.random() < 0.08 else word for word in words)
        texts.append(text.upper() if random.random() < (0.1 if label == "spam" else 0.02) else text)
        labels.append(label)
    return np.array(texts, dtype=object), np.array(labels)


def mistyped(word: str, random: np.random.Generator) -> str:
    """Leave out a letter."""
    place = random.integers(len(word))
    return word[:place] + word[place + 1 :] if len(word) > 2 else word


# -- 2. The models -----------------------------------------------------------------------------------------------


def net(small: bool) -> Pipeline:
    """Return texts to tokens to labels; 12 epochs of thousands of messages are about a thousand updates."""
    return make_pipeline(
        FunctionTransformer(words_with_shapes),  # numbers are seldom seen twice, but their lengths are
        TokenEmbedder(dim=(32, 8), random_state=0),
        RNNClassifier(
            bidirectional=True,
            input_dropout=0.3,
            label_smoothing=0.1,
            class_weight="balanced",
            lr=5e-3,
            lr_schedule="onecycle",
            batch_size=32,
            max_epochs=2 if small else 10,
            random_state=0,
        ),
    )


def tuned(model: Pipeline, spam: str) -> TunedThresholdClassifierCV:
    """Find the threshold by a quarter of the training messages, then learn from all of them."""
    scorer = make_scorer(fbeta_score, beta=0.5, pos_label=spam, zero_division=0)
    return TunedThresholdClassifierCV(model, scoring=scorer, cv=0.25, random_state=0)


# -- 3. Table, suspicious messages, picture ----------------------------------------------------------------------


def scores(truth: np.ndarray, predicted: np.ndarray, spam: str) -> dict[str, float]:
    """Return what share of the messages called spam are it, what share of spam is found, and both in one."""
    found = precision_recall_fscore_support(truth, predicted, labels=[spam], zero_division=0)
    precision, recall, f1 = (float(values[0]) for values in found[:3])
    lost = int(np.sum((predicted == spam) & (truth != spam)))
    accuracy = accuracy_score(truth, predicted)
    return {"precision": precision, "recall": recall, "F1": f1, "accuracy": accuracy, "ham lost": lost}


def print_verdict(truth: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Say whether the messages on which only one of two models is right can tell which is better."""
    ours_alone, theirs_alone = np.sum((ours == truth) & (theirs != truth)), np.sum((ours != truth) & (theirs == truth))
    p = binomtest(ours_alone, ours_alone + theirs_alone).pvalue if ours_alone + theirs_alone else 1.0
    print(f"\nOnly the net is right on {ours_alone} test messages, only the SVM on {theirs_alone}", end=" ")
    print(f"(sign test: p = {p:.2g}).")
    better = "net" if ours_alone > theirs_alone else "SVM"
    print(f"The {better} is better here." if p < 0.05 else "So many messages cannot tell which of the two is better.")


def print_suspicious(texts: np.ndarray, probability: np.ndarray, is_spam: np.ndarray) -> None:
    """Print the ham that looks most like spam, and the spam that looks least like it."""
    for title, rows, order in (
        ("Ham that looks most like spam", np.flatnonzero(~is_spam), -probability),
        ("Spam that looks most like ham", np.flatnonzero(is_spam), probability),
    ):
        print(f"\n{title} (P of spam):")
        for row in rows[np.argsort(order[rows], kind="stable")][:5]:
            print(f"  {probability[row]:.2f}  {textwrap.shorten(texts[row], 100)}")


def draw(is_spam: np.ndarray, ranks: dict[str, np.ndarray], points: dict[str, dict[str, float]], path: Path) -> None:
    """Draw precision over recall of both models, and where the thresholds put the net."""
    style = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(8, 5.5), layout="constrained")
        for (name, rank), color in zip(ranks.items(), ("tab:blue", "tab:green"), strict=True):
            PrecisionRecallDisplay.from_predictions(is_spam, rank, name=name, ax=axes).line_.set_color(color)
        for (name, point), marker in zip(points.items(), "os", strict=True):
            axes.plot(point["recall"], point["precision"], marker, color="tab:blue", ms=9, label=name)
        axes.set_title("Spam among the test messages", loc="left", weight="bold")
        low = min(point[side] for point in points.values() for side in ("recall", "precision"))
        axes.set(xlabel="recall: share of spam that is found", xlim=(max(0, low - 0.3), 1.005))
        axes.set(ylabel="precision: share of spam among what is called spam", ylim=(max(0, low - 0.3), 1.005))
        axes.set_aspect("auto")
        axes.legend(frameon=False, loc="lower left")
        figure.savefig(path, dpi=130)
    plt.close(figure)


# -- The program -------------------------------------------------------------------------------------------------


def read_data(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, str]:
    """Return texts, labels and which label is spam."""
    if options.output.suffix.lower() != ".png" or not options.output.resolve().parent.is_dir():
        raise InputError(f"--output must be a file .png in a folder that exists, got {options.output}.")
    texts, labels = (
        make_messages(400 if options.small else 4000) if options.file is None else read_messages(options.file)
    )
    names, counts = np.unique(labels, return_counts=True)
    spam = options.spam or ("spam" if "spam" in names else str(names[counts.argmin()]))
    if spam not in names:
        raise InputError(f"--spam must be one of the labels {', '.join(map(repr, names.tolist()))}, got {spam!r}.")
    return texts, labels, spam


def main() -> None:
    """Read, learn, judge, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, metavar="FILE", help="messages of your own, label<TAB>text in each line")
    parser.add_argument("--spam", metavar="LABEL", help="the label to look for")
    parser.add_argument("--output", type=Path, metavar="PNG", default=Path("sms.png"), help="the picture")
    parser.add_argument("--small", action="store_true", help="few messages and epochs: shows in seconds that it runs")
    options = parser.parse_args()
    started = time.monotonic()
    warnings.simplefilter("ignore", ConvergenceWarning)  # the table tells what the epochs are worth
    try:
        texts, labels, spam = read_data(options)
    except InputError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    if options.small:
        print("Small setting, few messages and epochs: it shows that the program runs, not what the net can do.\n")
    train, test, y_train, truth = train_test_split(texts, labels, test_size=0.3, stratify=labels, random_state=0)
    is_spam = truth == spam
    print(f"{len(train)} messages to learn from, {len(test)} test messages, {is_spam.mean():.1%} of them {spam!r}.\n")

    begun = time.monotonic()
    model = tuned(net(options.small), spam).fit(train, y_train)
    seconds = time.monotonic() - begun
    column = model.classes_.tolist().index(spam)
    probability = model.estimator_.predict_proba(test)[:, column]
    plain = model.estimator_.predict(test)

    begun = time.monotonic()
    svm = make_pipeline(TfidfVectorizer(token_pattern=r"\w+|[^\w\s]", sublinear_tf=True), LinearSVC())
    theirs = svm.fit(train, y_train).predict(test)
    rank = svm.decision_function(test) * (1 if svm.classes_[1] == spam else -1)
    svm_seconds = time.monotonic() - begun

    usual, moved = "net, spam from .5", f"net, spam from {model.best_threshold_:.2f} (tuned)"
    rows = {
        usual: scores(truth, plain, spam),
        moved: scores(truth, model.predict(test), spam) | {"seconds": seconds},
        "SVM on TF-IDF of words": scores(truth, theirs, spam) | {"seconds": svm_seconds},
        "never spam": scores(truth, np.full(len(truth), truth[~is_spam][0]), spam),
    }
    table = pd.DataFrame.from_dict(rows, orient="index").astype({"ham lost": int})
    print(table.to_string(float_format="{:.3f}".format, na_rep=""))
    print_verdict(truth, plain, theirs)
    print_suspicious(test, probability, is_spam)
    draw(is_spam, {"net": probability, "SVM": rank}, {name: rows[name] for name in (usual, moved)}, options.output)
    print(f"\nPicture: {options.output.resolve()}\nDone in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
