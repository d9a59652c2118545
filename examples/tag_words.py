"""Tag each word of a sentence by a recurrent net: made sentences, or a treebank of your own.

    python examples/tag_words.py
    python examples/tag_words.py --train FILE.conllu --test FILE.conllu --column upos
    python examples/tag_words.py --train FILE.txt --column 2

Files are read as CoNLL-U where they are that, else as columns such as those of CoNLL-2000, a token in each line and an
empty line behind each sentence. `--column` is the tag to learn: a name of CoNLL-U, or a position from 0 (default: upos,
else the last). Without `--test` a fifth of the sentences is set aside.

Where tags mark spans (B-, I-, O), the net has a CRF on top and F1 of spans counts too. The net is set against rules:
each word gets its most frequent tag; and the same with words never seen judged by their last three letters. The net
reads such words by their character n-grams, and the words around them. (In the made sentences tags follow from the
words without an error, though not word by word, so all of them can be right. In a real text they cannot.)
"""

from __future__ import annotations

import argparse
import re
import time
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrnn import SequenceTagger, TokenEmbedder, words_with_shapes
from skrnn.datasets import make_tagged_sentences, read_conll
from skrnn.metrics import span_f1, span_scores, token_accuracy

matplotlib.use("Agg")  # draw into a file, also where there is no screen
from matplotlib import pyplot as plt  # noqa: E402

Lists = list[list[str]]  # a list for each sentence
NET = "recurrent net"


class InputError(Exception):
    """Something that the person who started the program can put right."""


@dataclass(frozen=True)
class Task:
    """Sentences to learn from and to judge by, with their tags."""

    train: Lists
    train_tags: Lists
    test: Lists
    test_tags: Lists

    @property
    def of_spans(self) -> bool:
        """Whether the tags mark spans of words."""
        tags = set(chain(*self.train_tags, *self.test_tags))
        return any(tag.startswith("B-") for tag in tags) and all(re.fullmatch("O|[BIES]-.+", tag) for tag in tags)

    @property
    def is_known(self) -> np.ndarray:
        """Whether each test token stands in the training sentences too."""
        known = set(chain(*self.train))
        return np.array([word in known for word in chain(*self.test)])


def read_task(options: argparse.Namespace) -> Task:
    """Return the sentences asked for, or say what is wrong."""
    if options.output.suffix.lower() != ".png" or not options.output.resolve().parent.is_dir():
        raise InputError(f"--output must be a file .png in a folder that exists, got {options.output}.")
    if options.train is None:
        if options.test is not None or options.column is not None:
            raise InputError("--test and --column go with --train FILE, which was not given.")
        sentences, tags = make_tagged_sentences(400 if options.small else 2500, random_state=0)
    else:
        sentences, tags = read_sentences(options.train, options.column)
    if options.test is None:
        if len(sentences) < 10:
            raise InputError(f"{options.train} must hold at least 10 sentences, got {len(sentences)}.")
        train, test, train_tags, test_tags = train_test_split(sentences, tags, test_size=0.2, random_state=0)
    else:
        train, train_tags = sentences, tags
        test, test_tags = read_sentences(options.test, options.column)
    most = 300 if options.small else options.most
    if len(train) > most:
        rows = np.random.default_rng(0).permutation(len(train))[:most]
        print(f"{most} of {len(train)} sentences are learned from, by chance (--most says how many).")
        train, train_tags = [train[i] for i in rows], [train_tags[i] for i in rows]
    if len(set(chain(*train_tags))) < 2:
        raise InputError(f"There must be at least two tags to learn, got only {train_tags[0][0]!r}.")
    return Task(train, train_tags, test, test_tags)


def read_sentences(path: Path, column: str | None) -> tuple[Lists, Lists]:
    """Return words and tags of a file."""
    place: int | str | None = int(column) if column and re.fullmatch("-?[0-9]+", column) else column
    try:
        found = read_conll(path)
        words, tags = found if place is None else (found[0], read_conll(path, place))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # names the line or the column
        wrong_code = isinstance(error.__cause__, UnicodeDecodeError)
        raise InputError(f"{path} is no text in UTF-8." if wrong_code else str(error)) from error
    if words == tags:
        raise InputError(f"{path} must have words and tags in different columns; their tags are the words themselves.")
    return words, tags


# -- The models --------------------------------------------------------------------------------------------------


def net(task: Task, small: bool) -> Pipeline:
    """Return lists of words to lists of tags; about 1 500 updates, whatever the number of sentences."""
    batch_size = 32 if len(task.train) >= 500 else 16
    return make_pipeline(
        FunctionTransformer(words_with_shapes),  # capitals and digits say much of words never seen
        TokenEmbedder(dim=(48, 12), random_state=0),
        SequenceTagger(
            hidden_size=64,
            bidirectional=True,
            input_dropout=0.3,
            layer_norm=True,
            crf=task.of_spans,
            lr_schedule="onecycle",
            batch_size=batch_size,
            max_epochs=2 if small else int(np.clip(1500 * batch_size / len(task.train), 3, 40)),
            random_state=0,
        ),
    )


def most_frequent_tags(task: Task, n_letters: int = 0) -> Lists:
    """Tag by what was most frequent for a word, else for its last letters, else at all."""
    counts: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
    for word, tag in zip(chain(*task.train), chain(*task.train_tags), strict=True):
        counts[word][tag] += 1
        counts[None][tag] += 1
        if n_letters:
            counts["-" + word[-n_letters:].lower()][tag] += 1
    best = {key: counter.most_common(1)[0][0] for key, counter in counts.items()}
    return [
        [best.get(word) or best.get("-" + word[-n_letters:].lower() if n_letters else None, best[None]) for word in one]
        for one in task.test
    ]


def compare(task: Task, small: bool) -> tuple[pd.DataFrame, dict[str, Lists]]:
    """Return a row of scores for each model, and the tags it gives the test sentences."""
    begun = time.monotonic()
    predicted = {NET: net(task, small).fit(task.train, task.train_tags).predict(task.test).tolist()}
    seconds = time.monotonic() - begun
    predicted["most frequent tag, or by last letters"] = most_frequent_tags(task, 3)
    predicted["most frequent tag of the word"] = most_frequent_tags(task)
    truth, known = np.array(list(chain(*task.test_tags))), task.is_known
    rows = {}
    for name, tags in predicted.items():
        right = np.array(list(chain(*tags))) == truth
        rows[name] = {
            "all tokens": token_accuracy(task.test_tags, tags),
            "known words": right[known].mean() if known.any() else np.nan,
            "unseen words": right[~known].mean() if (~known).any() else np.nan,
        }
        if task.of_spans:
            rows[name]["F1 of spans"] = span_f1(task.test_tags, tags)
    rows[NET]["seconds"] = seconds
    return pd.DataFrame.from_dict(rows, orient="index"), predicted


# -- Tables, sentences, picture ----------------------------------------------------------------------------------


def scores_by_kind(task: Task, predicted: dict[str, Lists]) -> pd.DataFrame:
    """Return F1 of the net and of the best rule for each type of span, or each tag, and how many there are."""
    if task.of_spans:
        tables = {name: span_scores(task.test_tags, tags) for name, tags in list(predicted.items())[:2]}
        found = pd.DataFrame({name: table["f1"] for name, table in tables.items()}).fillna(0.0)
        return found.assign(number=tables[NET]["support"]).drop("overall").fillna({"number": 0})
    truth = list(chain(*task.test_tags))
    kinds = sorted(set(truth))
    columns = {
        name: f1_score(truth, list(chain(*tags)), labels=kinds, average=None, zero_division=0)
        for name, tags in list(predicted.items())[:2]
    }
    return pd.DataFrame({**columns, "number": [Counter(truth)[kind] for kind in kinds]}, index=kinds)


def print_sentences(task: Task, tags: Lists, n_sentences: int = 4) -> None:
    """Print some short test sentences with the net's tags, and the right one where that is wrong."""
    print("\nSome test sentences:")
    short = [i for i, sentence in enumerate(task.test) if 4 <= len(sentence) <= 12] or [0]
    for i in short[:n_sentences]:
        pairs = zip(task.test[i], tags[i], task.test_tags[i], strict=True)
        print(
            "  " + "  ".join(f"{word}/{tag}" + (f" (not {true})" if tag != true else "") for word, tag, true in pairs)
        )


def print_verdict(table: pd.DataFrame) -> None:
    """Say what the net gains over the best rule, by the score that counts."""
    score = "F1 of spans" if "F1 of spans" in table else "all tokens"
    rule = table[score].iloc[1:].idxmax()
    ours, theirs = table.loc[NET, score], table.loc[rule, score]
    what = "F1 of spans" if score == "F1 of spans" else "share of right tokens"
    print(f"\nThe net's {what} is {ours:.3f}, that of the best rule ({rule}) {theirs:.3f}:", end=" ")
    if ours <= theirs:
        print("the net is not worth its time here.")
    else:
        print(f"{(ours - theirs) / max(1 - theirs, 1e-9):.0%} of the way from there to a perfect one.")


def draw(table: pd.DataFrame, kinds: pd.DataFrame, of_spans: bool, path: Path) -> None:
    """Draw the accuracy of known and unseen words on the left, and F1 of each kind on the right."""
    style = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
    colors = ["tab:blue", "0.55", "0.75"]
    with plt.rc_context(style | {"axes.axisbelow": True}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), width_ratios=[1, 1.6], layout="constrained")
        groups = table[["known words", "unseen words"]].dropna(axis=1)
        groups.T.plot.bar(ax=left, color=colors, rot=0, width=0.8)
        left.set(ylabel="share of right tags", ylim=(0, 1))
        left.set_title("Words known from training, and others", loc="left", weight="bold")
        left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), frameon=False, fontsize=9)
        shown = kinds.sort_values("number", ascending=False).head(17)
        shown.drop(columns="number").plot.bar(ax=right, color=colors, rot=45 if len(shown) > 6 else 0, width=0.8)
        what = "type of span" if of_spans else "tag"
        right.set(ylabel="F1", ylim=(0, 1), xlabel="")
        right.set_title(f"F1 of each {what}, the most frequent first", loc="left", weight="bold")
        right.legend().remove()
        figure.savefig(path, dpi=130)
    plt.close(figure)


# -- The program -------------------------------------------------------------------------------------------------


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def main() -> None:
    """Read, learn, judge, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, metavar="FILE", help="tagged sentences of your own to learn from")
    parser.add_argument("--test", type=Path, metavar="FILE", help="tagged sentences to judge by")
    parser.add_argument("--column", metavar="TAG", help="the tag to learn: a name of CoNLL-U or a position from 0")
    parser.add_argument("--most", type=positive, metavar="N", default=5000, help="sentences to learn from at most")
    parser.add_argument("--output", type=Path, metavar="PNG", default=Path("tags.png"), help="the picture")
    parser.add_argument("--small", action="store_true", help="few sentences, two epochs: shows in seconds that it runs")
    options = parser.parse_args()
    started = time.monotonic()
    warnings.simplefilter("ignore", ConvergenceWarning)  # the table tells what the epochs are worth
    if options.small:
        print("Small setting, few sentences, two epochs: it shows that the program runs, not what the net can do.\n")
    try:
        task = read_task(options)
    except InputError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    what = "a CRF on top" if task.of_spans else "each tag by itself"
    print(f"{len(task.train)} sentences to learn from, {len(task.test)} test sentences,", end=" ")
    print(f"{len(set(chain(*task.train_tags)))} tags, {what}.")
    print(
        f"Of the test words {1 - task.is_known.mean():.1%} stand in no sentence to learn from. Share of right tags:\n"
    )

    table, predicted = compare(task, options.small)
    print(table.to_string(float_format="{:.3f}".format, na_rep=""))
    kinds = scores_by_kind(task, predicted)
    print(f"\nF1 of each {'type of span' if task.of_spans else 'tag'}:")
    print(kinds.astype({"number": int}).to_string(float_format="{:.3f}".format, max_rows=40))
    print_sentences(task, predicted[NET])
    print_verdict(table)
    draw(table, kinds, task.of_spans, options.output)
    print(f"\nPicture: {options.output.resolve()}\nDone in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
