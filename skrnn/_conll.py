"""Sentences from files with a token in each line: CoNLL-U, CoNLL-2000 and their relatives."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_TOKEN = re.compile(r"[0-9]+")  # the number of a token in CoNLL-U
_NO_TOKEN = re.compile(r"[0-9]+-[0-9]+|[0-9]+\.[0-9]+")  # that of a range of tokens, of an empty node
_DOCUMENT = "-DOCSTART-"  # begins the line that CoNLL-2003 puts before each document


def read_conll(
    path: str | os.PathLike[str], columns: Any = None, *, encoding: str = "utf-8"
) -> tuple[list[list[str]], ...] | list[list[str]]:
    """Read sentences from a file with a token in each line and a blank line behind each sentence.

    CoNLL-U [1]_, the form of the treebanks of Universal Dependencies, has ten columns between tabs, the first of which
    is the token's number; comments (``#``), ranges of tokens (``3-4``) and empty nodes (``8.1``) are skipped. A
    file is read so if its first line that is no comment is of this form, or if its name ends in ``.conllu``.

    Any other file is read as CoNLL-2000 [2]_: columns between tabs, or between spaces where the first line has no
    tab. There are no comments in it, since ``#`` may be a token. The lines ``-DOCSTART-`` of CoNLL-2003 are skipped.

    Parameters
    ----------
    path : str or path-like
    columns : int, str, sequence of them or None, default=None
        Which columns to give: positions from 0, negative ones from the last, or in CoNLL-U also the names id, form,
        lemma, upos, xpos, feats, head, deprel, deps and misc. None is ``("form", "upos")`` in CoNLL-U, else
        ``(0, -1)``: in both the tokens and their tags.
    encoding : str, default="utf-8"
        A byte order mark is skipped.

    Returns
    -------
    tuple of lists of n_sentences lists of str
        One list of sentences for each column, each entry as it stands in the file: what CoNLL-U leaves open is
        ``"_"``. For a single int or str the list alone.

    Raises
    ------
    ValueError
        If a line has more or fewer columns than the first one (in CoNLL-U than ten), or in CoNLL-U no number of a
        token; if a column is not there; if the file holds no sentence or is not of the encoding.

    See Also
    --------
    read_ts : Sequences of numbers and their classes.

    References
    ----------
    .. [1] https://universaldependencies.org/format.html
    .. [2] E. F. Tjong Kim Sang and S. Buchholz, "Introduction to the CoNLL-2000 shared task: chunking", CoNLL 2000.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skrnn.datasets import read_conll
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "chunks.txt")
    ...     _ = path.write_text("It PRP B-NP\\nrained VBD B-VP\\n. . O\\n\\nAgain RB B-ADVP\\n")
    ...     tokens, chunks = read_conll(path)
    ...     parts_of_speech = read_conll(path, 1)
    >>> tokens
    [['It', 'rained', '.'], ['Again']]
    >>> chunks
    [['B-NP', 'B-VP', 'O'], ['B-ADVP']]
    >>> parts_of_speech
    [['PRP', 'VBD', '.'], ['RB']]
    """
    lines = _lines(path, encoding)
    form = _form_of(path, lines)
    sentences = list(_sentences(path, lines, form))
    if not sentences:
        raise ValueError(f"{path} must hold at least one sentence, got {len(lines)} lines without a token.")
    asked = form.default if columns is None else columns
    single = isinstance(asked, str) or not np.iterable(asked)
    places = [_place(path, column, form) for column in ([asked] if single else asked)]
    found = tuple([[fields[place] for fields in sentence] for sentence in sentences] for place in places)
    return found[0] if single else found


@dataclass(frozen=True)
class _Form:
    """How the lines of a file are read."""

    tabs: bool
    n_columns: int
    names: tuple[str, ...] = ()  # of the columns
    default: tuple[int | str, ...] = (0, -1)  # columns that are given unasked
    numbered: bool = False  # the first column tells tokens from the rest

    def fields(self, line: str) -> list[str]:
        return line.split("\t") if self.tabs else re.split("[ \t]+", line.strip(" \t"))


_CONLLU = _Form(
    tabs=True,
    n_columns=10,
    names=("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc"),
    default=("form", "upos"),
    numbered=True,
)


def _lines(path: Any, encoding: str) -> list[str]:
    try:
        with open(path, encoding=encoding) as file:
            lines = [line.rstrip("\n") for line in file]  # a token may hold what str.splitlines takes for an end
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in {encoding} ({error}). Pass the file's `encoding`.") from error
    if lines:
        lines[0] = lines[0].removeprefix("\ufeff")
    return lines


def _form_of(path: Any, lines: list[str]) -> _Form:
    if Path(path).suffix == ".conllu":
        return _CONLLU
    filled = [line for line in lines if line.strip(" \t")]
    first = _CONLLU.fields(next((line for line in filled if not line.startswith("#")), ""))
    if len(first) == _CONLLU.n_columns and (_TOKEN.fullmatch(first[0]) or _NO_TOKEN.fullmatch(first[0])):
        return _CONLLU
    tabs = bool(filled) and "\t" in filled[0]
    return _Form(tabs, n_columns=len(_Form(tabs, 0).fields(filled[0])) if filled else 0)


def _sentences(path: Any, lines: list[str], form: _Form) -> Iterator[list[list[str]]]:
    """Yield the fields of each token of each sentence."""
    sentence: list[list[str]] = []
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip(" \t"):
            if sentence:
                yield sentence
            sentence = []
        elif not (form.numbered and line.startswith("#")):
            fields = form.fields(line)
            _check(path, number, fields, form)
            if not (_NO_TOKEN.fullmatch(fields[0]) if form.numbered else fields[0] == _DOCUMENT):
                sentence.append(fields)


def _check(path: Any, number: int, fields: list[str], form: _Form) -> None:
    where = f"{path}, line {number}"
    if len(fields) != form.n_columns:
        between = "tabs" if form.tabs else "spaces"
        standard = "the ten of CoNLL-U" if form.numbered else "those of the first line"
        raise ValueError(
            f"{where}: expected {form.n_columns} columns between {between}, {standard}, got {len(fields)}: {fields}."
        )
    if form.numbered and not (_TOKEN.fullmatch(fields[0]) or _NO_TOKEN.fullmatch(fields[0])):
        raise ValueError(
            f"{where}: expected the number of a token (3), of a range (3-4) or of an empty node (3.1) in the first "
            f"column of CoNLL-U, got {fields[0]!r}."
        )


def _place(path: Any, column: Any, form: _Form) -> int:
    if isinstance(column, str):
        if column in form.names:
            return form.names.index(column)
        names = f"one of {', '.join(form.names)}" if form.names else "a position, since only CoNLL-U has names"
        raise ValueError(f"A column of {path} must be {names}, got {column!r}.")
    if (
        isinstance(column, bool)
        or not isinstance(column, (int, np.integer))
        or not -form.n_columns <= column < form.n_columns
    ):
        raise ValueError(
            f"A column of {path} must be an int from {-form.n_columns} to {form.n_columns - 1}, as it has "
            f"{form.n_columns} columns, got {column!r}."
        )
    return int(column)
