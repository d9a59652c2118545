"""Readers of files: what is in the file arrives, what is malformed is named with its line."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skrnn.datasets import read_conll, read_ts


@pytest.fixture
def write(tmp_path):
    def write(text, name="file.txt"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused(read, path, *args, message, **kwargs):
    with pytest.raises(ValueError, match=message) as caught:
        read(path, *args, **kwargs)
    assert str(path) in str(caught.value)


# -- CoNLL-2000 ------------------------------------------------------------------------------------------------------

CHUNKS = "He PRP B-NP\nfell VBD B-VP\n. . O\n\n# # B-NP\n1 CD I-NP\n\n"


def test_columns_between_spaces(write):
    tokens, tags = read_conll(write(CHUNKS))
    assert tokens == [["He", "fell", "."], ["#", "1"]]
    assert tags == [["B-NP", "B-VP", "O"], ["B-NP", "I-NP"]]


@pytest.mark.parametrize(
    "columns, expected",
    [
        ((2, 0, 1), ["O", ".", "."]),
        ((-2,), ["."]),
        ([], []),
        (np.array([0, 2]), [".", "O"]),
    ],
)
def test_columns_asked_for(write, columns, expected):
    found = read_conll(write(CHUNKS), columns)
    assert isinstance(found, tuple)
    assert [sentences[0][2] for sentences in found] == expected


@pytest.mark.parametrize("column", [1, -2, np.int64(1)])
def test_a_single_column_is_a_list_of_sentences(write, column):
    assert read_conll(write(CHUNKS), column) == [["PRP", "VBD", "."], ["#", "CD"]]


@pytest.mark.parametrize(
    "text",
    [
        CHUNKS.replace("\n", "\r\n"),
        CHUNKS.replace("\n\n", "\n\n \t\n\n"),
        "\n" + CHUNKS,
        CHUNKS.strip("\n"),
        CHUNKS.replace(" ", "\t"),
        CHUNKS.replace(" ", "   "),
        CHUNKS.replace("\n", " \n"),
        "\ufeff" + CHUNKS,
        "-DOCSTART- -X- O\n\n" + CHUNKS + "-DOCSTART- -X- O\n\n",
    ],
    ids=["crlf", "blank lines", "first", "last", "tabs", "wide", "trailing", "mark", "documents"],
)
def test_the_same_sentences_in_other_clothes(write, text):
    columns = (0, 1, 2, -1)
    assert read_conll(write(text), columns) == read_conll(write(CHUNKS, "other.txt"), columns)


def test_between_tabs_a_token_may_have_spaces(write):
    assert read_conll(write("New York\tB-LOC\n \tO\n")) == ([["New York", " "]], [["B-LOC", "O"]])


@pytest.mark.parametrize("odd", ["\u00a0", "\u2028", "\x85", "\x0b", "\x1c", "\u3000", "é", "𝄞"])
def test_a_token_is_cut_at_spaces_and_lines_only(write, odd):
    assert read_conll(write(f"a{odd}b O\nc O\n")) == ([[f"a{odd}b", "c"]], [["O", "O"]])


def test_a_single_column_of_tokens(write):
    assert read_conll(write("a\nb\n\nc\n")) == ([["a", "b"], ["c"]],) * 2


def test_encoding(write):
    path = write("né O\n".encode("latin-1"))
    assert read_conll(path, 0, encoding="latin-1") == [["né"]]
    refused(read_conll, path, message="is not in utf-8 .* Pass the file's `encoding`")


@pytest.mark.parametrize(
    "text, message",
    [
        ("a b c\nd e\n", "line 2: expected 3 columns between spaces, those of the first line, got 2: ['d', 'e']"),
        ("\na b\n\nd e f\n", "line 4: expected 2 columns between spaces, those of the first line, got 3"),
        ("a\tb\nd e\n", "line 2: expected 2 columns between tabs, those of the first line, got 1: ['d e']"),
        ("", "must hold at least one sentence, got 0 lines without a token"),
        ("\n \n", "must hold at least one sentence, got 2 lines"),
        ("-DOCSTART- O\n\n", "must hold at least one sentence"),
    ],
)
def test_malformed_columns(write, text, message):
    refused(read_conll, write(text), message=re.escape(message))


@pytest.mark.parametrize(
    "columns, message",
    [
        ((0, 3), "must be an int from -3 to 2, as it has 3 columns, got 3"),
        (-4, "must be an int from -3 to 2, as it has 3 columns, got -4"),
        ((0, True), "got True"),
        (1.5, "got 1.5"),
        ("form", "must be a position, since only CoNLL-U has names, got 'form'"),
    ],
)
def test_columns_that_are_not_there(write, columns, message):
    refused(read_conll, write(CHUNKS), columns, message=message)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_conll(tmp_path / "none")


# -- CoNLL-U ---------------------------------------------------------------------------------------------------------

NAMES = ["id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc"]


def node(number, form, upos="X"):
    return "\t".join([number, form, f"lemma {form}", upos, "xpos", "feats", "head", "deprel", "deps", "misc"]) + "\n"


TREES = (
    "# sent_id = 1\n"
    + node("1", "We", "PRON")
    + node("2-3", "don't", "_")
    + node("2", "do", "AUX")
    + node("3", "n't", "PART")
    + node("3.1", "elided", "VERB")
    + "\n# text = #\n# another\n"
    + node("1", "#", "SYM")
    + "\n"
)


@pytest.mark.parametrize("name", ["file.conllu", "file.txt"])
def test_conllu_skips_comments_ranges_and_empty_nodes(write, name):
    tokens, tags = read_conll(write(TREES, name))
    assert tokens == [["We", "do", "n't"], ["#"]]
    assert tags == [["PRON", "AUX", "PART"], ["SYM"]]


def test_conllu_begins_with_a_range(write):
    path = write(node("1-2", "don't", "_") + node("1", "do", "AUX") + node("2", "n't", "PART"))
    assert read_conll(path, "form") == [["do", "n't"]]


@pytest.mark.parametrize("place, name", list(enumerate(NAMES)))
def test_columns_by_name(write, place, name):
    path = write(TREES)
    expected = "lemma We" if name == "lemma" else {"id": "1", "form": "We", "upos": "PRON"}.get(name, name)
    assert read_conll(path, name)[0][0] == expected
    assert read_conll(path, (name, "form")) == read_conll(path, [place, 1]) == read_conll(path, (place - 10, -9))


@pytest.mark.parametrize(
    "text, message",
    [
        (node("1", "a") + "2\tb\tb\tX\n", "line 2: expected 10 columns between tabs, the ten of CoNLL-U, got 4: ['2',"),
        (node("1", "a") + "\n2 b b\n", "line 3: expected 10 columns between tabs, the ten of CoNLL-U, got 1"),
        ("# c\n\n" + node("1", "a") + node("x", "b"), "line 4: expected the number of a token (3), of a range"),
        (node("1", "a") + node("", "b"), "line 2: expected the number of a token"),
        (node("1", "a") + node("3-", "b"), "in the first column of CoNLL-U, got '3-'"),
        ("# only\n# comments\n\n", "must hold at least one sentence, got 3 lines without a token"),
        ("a O\n", "line 1: expected 10 columns"),
        ("", "must hold at least one sentence"),
    ],
)
def test_malformed_conllu(write, text, message):
    refused(read_conll, write(text, "file.conllu"), message=re.escape(message))


def test_a_name_that_conllu_has_not(write):
    refused(read_conll, write(TREES), ("form", "pos"), message="must be one of id, form, lemma, .* got 'pos'")


def test_numbers_without_ten_columns_are_no_conllu(write):
    assert read_conll(write("1\tone\tA\n#\tsharp\tB\n")) == ([["1", "#"]], [["A", "B"]])


def test_ten_columns_without_numbers_are_no_conllu(write):
    line = "\t".join("#bcdefghij") + "\n"
    assert read_conll(write(line * 2)) == ([["#", "#"]], [["j", "j"]])


words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs"]), min_size=1, max_size=5).filter(
    lambda word: word.isprintable() and not word.startswith("\ufeff")
)


@settings(deadline=None, max_examples=60)
@given(
    sentences=st.lists(st.lists(st.tuples(words, words, words), min_size=1, max_size=5), min_size=1, max_size=4),
    separator=st.sampled_from([" ", "\t"]),
)
def test_what_is_written_is_read(tmp_path_factory, sentences, separator):
    path = tmp_path_factory.mktemp("round") / "trip.txt"
    text = "\n\n".join("\n".join(map(separator.join, sentence)) for sentence in sentences)
    path.write_text(text, encoding="utf-8")
    found = read_conll(path, range(3))
    assert [[[token[i] for token in sentence] for sentence in sentences] for i in range(3)] == list(found)


# -- .ts -------------------------------------------------------------------------------------------------------------

HEADER = "# a comment\n@problemName steps\n@timeStamps false\n@univariate false\n@classLabel true up down\n@data\n"


def test_equal_lengths_are_an_array(write):
    X, y = read_ts(write(HEADER + "1,2,3:4,5,6:up\n7,8,9:-1,1e3,.5:down\n"))
    assert X.dtype == np.float64
    assert_array_equal(X, [[[1, 4], [2, 5], [3, 6]], [[7, -1], [8, 1000], [9, 0.5]]])
    assert y.tolist() == ["up", "down"]


def test_unequal_lengths_are_a_list_of_arrays(write):
    X, y = read_ts(write(HEADER + "1,2,3:4,5,6:up\n\n# between\n7:8:up\n"))
    assert isinstance(X, list)
    assert [x.tolist() for x in X] == [[[1, 4], [2, 5], [3, 6]], [[7, 8]]]
    assert y.tolist() == ["up", "up"]


def test_one_channel_and_missing_values(write):
    X, y = read_ts(write("@univariate true\n@classLabel true 0 1\n@data\n1,?,3:1\n? , NaN, 2 : 0\n"))
    assert_array_equal(X, [[[1], [np.nan], [3]], [[np.nan], [np.nan], [2]]])
    assert y.tolist() == ["1", "0"]  # names, not numbers


def test_numbers_to_predict(write):
    X, y = read_ts(write("@targetLabel true\n@data\n1,2:3,4:0.5\n1,2:3,4:-2\n"))
    assert X.shape == (2, 2, 2)
    assert y.dtype == np.float64
    assert y.tolist() == [0.5, -2]


@pytest.mark.parametrize("header", ["@data\n", "@classLabel false\n@targetLabel false\n@DATA\n"])
def test_no_labels(write, header):
    X, y = read_ts(write(header + "1,2:3,4\n"))
    assert X.shape == (1, 2, 2)
    assert y is None


def test_header_names_in_any_case_and_unlisted_classes(write):
    X, y = read_ts(write("@Dimensions 2\n@CLASSLABEL TRUE\n@Data\n1:2:never heard of\n"))
    assert X.tolist() == [[[1, 2]]]
    assert y.tolist() == ["never heard of"]


def test_what_is_not_utf8_in_a_comment(write):
    X, y = read_ts(write("\ufeff@targetLabel true\n".encode() + "# café\n".encode("latin-1") + b"@data\n1:2\n"))
    assert X.tolist() == [[[1]]]
    assert y.tolist() == [2]


@pytest.mark.parametrize(
    "text, message",
    [
        (HEADER + "1:2:up\n1:2:3:up\n", "line 8: expected 2 channels and a class, as the first sequence has it, got 3"),
        (HEADER + "1:2:up\n1:2\n", "line 8: expected 2 channels and a class, as the first sequence has it, got 1"),
        ("@dimensions 3\n@data\n1:2\n", "line 3: expected 3 channels, as the header has it, got 2"),
        ("@univariate true\n@data\n1:2\n", "line 3: expected 1 channels, as the header has it, got 2"),
        (
            HEADER + "1:2:up\n\n1:2:left\n",
            "line 9: expected one of the header's classes ['down', 'up'] behind the last",
        ),
        ("@classLabel true\n@data\n1:2:\n", "line 3: expected a class behind the last colon, got ''"),
        (
            HEADER + "1,2:1,x:up\n",
            "line 7, channel 1: expected numbers between commas (? where one is missing), got 'x'",
        ),
        (HEADER + "1,:1,2:up\n", "line 7, channel 0: expected numbers between commas (? where one is missing), got ''"),
        (HEADER + "1,2:1:up\n", "line 7: expected as many values in each channel, got [2, 1]"),
        ("@targetLabel true\n@data\n1:high\n", "line 3, behind the last colon: expected numbers between commas"),
        ("@targetLabel true\n@data\n1:1,2\n", "line 3: expected a number behind the last colon, got 2 of them"),
        (
            "@timeStamps true\n@data\n(0,1):up\n",
            "line 1: values with time stamps are not read; expected @timeStamps false",
        ),
        ("@dimensions 0\n@data\n1\n", "line 1: expected a number of channels of at least 1, got '0'"),
        ("@dimensions many\n@data\n1\n", "line 1: expected a number of channels of at least 1, got 'many'"),
        ("1,2:up\n", "has no line @data"),
        ("", "has no line @data"),
        (HEADER, "must hold at least one sequence behind @data, got none"),
    ],
)
def test_malformed_ts(write, text, message):
    refused(read_ts, write(text, "file.ts"), message=re.escape(message))


@settings(deadline=None, max_examples=40)
@given(data=st.data(), n_channels=st.integers(1, 3), n_samples=st.integers(1, 5))
def test_written_sequences_are_read(tmp_path_factory, data, n_channels, n_samples):
    lengths = data.draw(st.lists(st.integers(1, 7), min_size=n_samples, max_size=n_samples))
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, n_channels)) for length in lengths]
    lines = [":".join(",".join(map(repr, channel.tolist())) for channel in x.T) for x in X]
    path = Path(tmp_path_factory.mktemp("round") / "trip.ts")
    path.write_text("@classLabel true a\n@data\n" + "".join(f"{line}:a\n" for line in lines))
    found, y = read_ts(path)
    assert y.tolist() == ["a"] * n_samples
    assert isinstance(found, np.ndarray) == (len(set(lengths)) == 1)
    for one, other in zip(X, found, strict=True):
        assert_array_equal(one, other)
