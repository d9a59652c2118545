"""Batches of about one length: less padding, and nothing else changes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skrnn import EmbeddedTokens, RNNClassifier, RNNRegressor, SequenceTagger, Windows, _prediction
from skrnn._batches import CHUNK, BatchIterator, SequenceDataset, batches_of_steps, standardized_base
from skrnn._scaling import InputScaling
from skrnn._validation import check_sequences

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")
SMALL = {"cell": "gru", "hidden_size": 4, "max_epochs": 2, "random_state": 0}


def ragged(n_samples=90, longest=23, n_channels=2, seed=0):
    rng = np.random.RandomState(seed)
    return [rng.randn(n_steps, n_channels) for n_steps in rng.randint(1, longest + 1, n_samples)]


def dataset_of(X):
    """The number of each row is its target."""
    sequences = check_sequences(X)
    ones = np.ones(sequences.n_channels)
    scaling = InputScaling(0 * ones, ones, None, np.arange(len(ones)), ones, 0 * ones)
    base = standardized_base(sequences, scaling, np.dtype(float), "cpu")
    return SequenceDataset(base, sequences, scaling, np.arange(float(len(X)))[:, None])


def iterator(X, batch_size=7, *, shuffle=True, seed=3, **options):
    return BatchIterator(dataset_of(X), batch_size, shuffle, torch.Generator().manual_seed(seed), **options)


def rows_of(batches):
    return [values[:, 0].int().tolist() for _, values in batches]


def share_of_padding(batches, lengths):
    computed = sum(inputs["x"].shape[0] * inputs["x"].shape[1] for inputs, _ in batches)
    return 1 - sum(lengths) / computed


# -- the batches of a pass -----------------------------------------------------------------------------------------


@given(
    n_samples=st.integers(1, 60),
    longest=st.integers(1, 9),
    batch_size=st.integers(1, 70),
    shuffle=st.booleans(),
    by_length=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_each_row_comes_once_a_pass_in_the_usual_number_of_batches(
    n_samples, longest, batch_size, shuffle, by_length, seed
):
    X = ragged(n_samples, longest, seed=seed)
    batches = iterator(X, batch_size, shuffle=shuffle, by_length=by_length, seed=seed)
    for _ in range(2):
        rows = rows_of(batches)
        assert sorted(row for batch in rows for row in batch) == list(range(n_samples))
        assert len(rows) == len(batches) == -(-n_samples // batch_size)
        assert max(map(len, rows)) <= batch_size
        assert min(map(len, rows)) >= 1


def test_the_batches_hold_the_sequences_themselves():
    X = ragged()
    n_trimmed = 0
    for inputs, values in iterator(X):
        x, lengths = inputs["x"].numpy(), inputs["lengths"]
        rows = values[:, 0].int().tolist()
        assert x.shape[1] == max(len(X[row]) for row in rows)  # and no longer
        n_trimmed += x.shape[1] < 23
        for i, row in enumerate(rows):
            np.testing.assert_array_equal(x[i, : len(X[row])], X[row])
            assert not x[i, len(X[row]) :].any()
            assert lengths is None or lengths[i] == len(X[row])
    assert n_trimmed > 5


@pytest.mark.parametrize("n_samples, batch_size", [(90, 5), (500, 16), (97, 7)])
def test_padding_is_far_below_that_of_random_batches(n_samples, batch_size):
    X = ragged(n_samples)
    lengths = [len(sequence) for sequence in X]
    bucketed, random = (
        share_of_padding(iterator(X, batch_size, by_length=by_length), lengths) for by_length in (True, False)
    )
    assert random > 0.3
    assert bucketed < 0.25 * random


def test_batches_are_a_mixture_that_is_new_in_each_pass():
    """All lengths differ, so rows sorted as a whole would be the same batches in every pass."""
    X = [np.ones((n_steps, 1)) for n_steps in range(1, 3 * 2 * CHUNK + 1)]  # two chunks of batches of 3
    batches = iterator(X, 3)
    passes = [rows_of(batches) for _ in range(2)]
    assert len({frozenset(rows) for rows in passes[0]} & {frozenset(rows) for rows in passes[1]}) < 5
    assert np.median([np.ptp(rows) for rows in passes[0]]) < 10  # of 192


def test_the_order_of_the_batches_says_nothing_about_length():
    batches = rows_of(iterator([np.ones((n_steps, 1)) for n_steps in range(1, 3 * CHUNK + 1)], 3))
    assert abs(np.corrcoef([max(rows) for rows in batches], np.arange(CHUNK))[0, 1]) < 0.5  # sorted it would be 1


def test_no_batch_of_the_longest_rows_alone():
    """A short last batch would hold them in every pass, where 15 rows and batches of 7 make 7, 7 and 1."""
    X = [np.ones((n_steps, 1)) for n_steps in range(1, 16)]
    sizes = [sorted(map(len, rows_of(iterator(X, seed=seed)))) for seed in range(5)]
    assert sizes == [[5, 5, 5]] * 5


def test_the_generator_decides():
    X = ragged()
    before = torch.get_rng_state()
    one, other, third = iterator(X), iterator(X), iterator(X, seed=4)
    first = [rows_of(one) for _ in range(3)]
    assert [rows_of(other) for _ in range(3)] == first
    assert rows_of(third) != first[0]
    assert first[0] != first[1]
    assert torch.equal(torch.get_rng_state(), before)


def test_without_shuffling_rows_keep_their_order():
    assert [row for rows in rows_of(iterator(ragged(), shuffle=False)) for row in rows] == list(range(90))


def test_some_batches_at_a_time_are_those_of_whole_passes():
    X = ragged()
    expected = rows_of(iterator(X))  # 13 batches
    parts = iterator(X, n_batches=5)
    assert [*rows_of(parts), *rows_of(parts), *rows_of(parts)][:13] == expected


@pytest.mark.parametrize(
    "X",
    [
        np.random.RandomState(0).randn(90, 5, 2),
        Windows(np.random.RandomState(0).randn(90, 2), np.arange(90), np.zeros(90), np.zeros(90), 23),
        [np.ones((4, 2))] * 90,
    ],
    ids=["3-D", "windows", "lists of one length"],
)
def test_what_is_of_one_length_or_windows_is_batched_at_random(X):
    order = torch.randperm(90, generator=torch.Generator().manual_seed(3)).split(7)
    assert rows_of(iterator(X)) == [rows.tolist() for rows in order]


@pytest.mark.parametrize("padding", ["front", "behind"])
def test_padded_blocks_are_batched_by_length(padding):
    sequences = ragged()
    X = np.full((90, 23, 2), np.nan)
    for row, sequence in zip(X, sequences, strict=True):
        row[slice(23 - len(sequence), None) if padding == "front" else slice(len(sequence))] = sequence
    assert rows_of(iterator(X)) == rows_of(iterator(sequences))


# -- rows that judge or are predicted ------------------------------------------------------------------------------


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    most_rows=st.integers(1, 45),
    most_steps=st.integers(1, 120),
)
def test_batches_that_are_not_trained_hold_a_bounded_number_of_steps(lengths, most_rows, most_steps):
    of_rows = torch.tensor(lengths)
    batches = batches_of_steps(of_rows.argsort(stable=True), of_rows, most_rows, most_steps)
    assert sorted(int(row) for rows in batches for row in rows) == list(range(len(lengths)))
    ends = []
    for rows in batches:
        longest = int(of_rows[rows].max())
        assert len(rows) <= most_rows
        assert len(rows) * longest <= most_steps or len(rows) == 1  # a single one has what it has
        ends.append(longest)
    assert ends == sorted(ends)


def test_the_validation_part_is_sorted_and_bounded():
    X = ragged()
    rows = rows_of(iterator(X, 50, shuffle=False, most_steps=100))
    assert [row for batch in rows for row in batch] == np.argsort([len(x) for x in X], kind="stable").tolist()
    assert len(rows) > 2
    assert all(len(batch) * max(len(X[row]) for row in batch) <= 100 for batch in rows)


def test_losses_of_the_validation_part_do_not_depend_on_its_batches():
    X, y = ragged(), np.arange(90) % 3
    histories = []
    for params in ({}, {"iterator_valid__most_steps": 60}, {"iterator_valid__batch_size": 1}):
        model = RNNClassifier(**SMALL, early_stopping=True, validation=0.5, net_params=params).fit(X, y)
        histories.append(model.history_[["valid_loss", "valid_accuracy"]].to_numpy())
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-5)
    np.testing.assert_allclose(histories[2], histories[0], rtol=1e-5)


# -- what a row is predicted -----------------------------------------------------------------------------------------


def tokens(n_samples=60, seed=0):
    rng = np.random.RandomState(seed)
    lengths = rng.randint(1, 12, n_samples)
    table = rng.randn(9, 3).astype(np.float32)
    table[0] = 0
    return EmbeddedTokens(rng.randint(2, 9, (lengths.sum(), 1)), np.cumsum(lengths) - lengths, lengths, [table])


OPTIONS = {
    "plain": {},
    "bidirectional": {"bidirectional": True, "cell": "lstm"},
    "attention": {"pooling": "attention", "n_layers": 2},
    "last": {"pooling": "last", "bidirectional": True, "layer_norm": False},
    "convolution and patches": {"conv_channels": 3, "patch_size": 2},
    "scaled by itself": {"window_scaling": "standard"},
    "two nets": {"n_nets": 2},
}


@pytest.mark.parametrize("dtype, atol", [("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("option", OPTIONS)
def test_a_row_is_predicted_alone_what_it_is_predicted_among_others(option, dtype, atol):
    X, y = ragged(60), np.arange(60) % 3
    if option == "convolution and patches":
        X = [np.vstack([sequence, sequence]) for sequence in X]
    model = RNNClassifier(**SMALL | OPTIONS[option], dtype=dtype).fit(X, y)
    together = model.predict_proba(X)
    assert np.ptp(together[:, 0]) > 0.01
    order = np.random.RandomState(1).permutation(60)
    shuffled = np.empty_like(together)
    shuffled[order] = model.predict_proba([X[i] for i in order])
    np.testing.assert_allclose(shuffled, together, rtol=0, atol=atol)
    for i in (0, 7, 31, 59):
        np.testing.assert_allclose(model.predict_proba([X[i]])[0], together[i], rtol=0, atol=atol)
        with_the_longest = model.predict_proba([X[i], np.ones((97, 2))])[0]
        np.testing.assert_allclose(with_the_longest, together[i], rtol=0, atol=atol)


@pytest.mark.parametrize("dtype, atol", [("float32", 1e-6), ("float64", 1e-12)])
def test_tokens_alone_and_among_others(dtype, atol):
    X, y = tokens(), np.arange(60) % 3
    model = RNNClassifier(**SMALL, dtype=dtype).fit(X, y)
    together = model.predict_proba(X)
    alone = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(0, 60, 7)])
    np.testing.assert_allclose(alone, together[::7], rtol=0, atol=atol)


def test_predictions_in_batches_of_few_steps(monkeypatch):
    X, y = ragged(60), np.arange(60) % 3
    model = RNNClassifier(**SMALL).fit(X, y)
    expected = model.predict_proba(X)
    seen = []
    run = SequenceDataset.sequences

    def counted(self, rows):
        seen.append(len(rows))
        return run(self, rows)

    monkeypatch.setattr(SequenceDataset, "sequences", counted)
    monkeypatch.setattr(_prediction, "MOST_STEPS", 50)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=0, atol=1e-6)
    assert sum(seen) == 60
    assert len(seen) > 10


# -- training ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator, y",
    [
        (RNNClassifier, np.arange(90) % 3),
        (RNNRegressor, np.arange(90.0)),
        (SequenceTagger, [["a", "b", "c"][i % 3 : i % 3 + 1] * len(x) for i, x in enumerate(ragged())]),
    ],
    ids=["classifier", "regressor", "tagger"],
)
def test_training_is_reproducible_and_may_draw_batches_at_random(estimator, y):
    X, by_length, at_random = ragged(), {}, {"iterator_train__by_length": False}

    def weights(net_params):
        model = estimator(**SMALL, net_params=net_params).fit(X, y)
        assert len(model.history_) == 2
        assert model.net_.n_steps_ == 2 * -(-90 // 16)
        return torch.nn.utils.parameters_to_vector(model.net_.module_.parameters()).detach().numpy()

    first, again, random = (weights(params) for params in (by_length, by_length, at_random))
    np.testing.assert_array_equal(again, first)
    assert np.abs(random - first).max() > 1e-4


def test_rows_of_one_batch_train_alike_by_length_and_at_random():
    X, y = ragged(), np.arange(90) % 3
    options = SMALL | {"batch_size": 90, "max_epochs": 3}
    one, other = (
        RNNClassifier(**options, net_params={"iterator_train__by_length": by_length}).fit(X, y).predict_proba(X)
        for by_length in (True, False)
    )
    np.testing.assert_allclose(one, other, rtol=1e-9)  # float64: the order of a sum


def test_learning_by_length_is_no_worse():
    """The class is in the signs, and lengths say nothing; both kinds of batches find it."""
    X = ragged(400, seed=5)
    y = np.array([sequence[:, 0].mean() > 0 for sequence in X])
    scores = []
    for by_length in (True, False):
        model = RNNClassifier(
            "gru", hidden_size=6, max_epochs=12, random_state=0, net_params={"iterator_train__by_length": by_length}
        )
        scores.append(model.fit(X[:300], y[:300]).score(X[300:], y[300:]))
    assert min(scores) > 0.85  # the prior has .5
    assert scores[0] > scores[1] - 0.05
