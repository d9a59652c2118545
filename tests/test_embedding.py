"""Vectors of tokens inside the nets: what `TokenEmbedding` gives, what it learns, and what may be fed to it."""

import numpy as np
import pytest
import torch

from skrnn import EmbeddedTokens, RNNClassifier, RNNRegressor, Seq2SeqForecaster, SequenceTagger, TokenEmbedder
from skrnn._batches import SequenceDataset, embedding_sizes, embedding_tables, ngrams_of, standardized_base
from skrnn._scaling import fit_input_scaling
from skrnn._validation import check_sequences
from skrnn.nn._embedding import EmbeddingSizes, TokenBatch, TokenEmbedding

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")
SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}
WORDS = ["walking", "walked", "talking", "talks", "seen", "x", "unwalkable", "-"]


def documents(n_samples=23, seed=0, words=WORDS, longest=7):
    """Lists of 1 to `longest` words."""
    rng = np.random.RandomState(seed)
    return [rng.choice(words, 1 + i % longest).tolist() for i in range(n_samples)]


def tokens_of(**params):
    """Documents as an embedder that knows them sees them, and those with words that it has not seen."""
    embedder = TokenEmbedder(**{"dim": 5, "random_state": 0} | params).fit(documents())
    new = documents(11, seed=1, words=[*WORDS, "talkable", "sees", "qqqqq", "walks"])
    return embedder.transform(documents()), embedder.transform(new)


def with_fields(**params):
    def tuples(lists):
        return [[(word, word[-1], str(len(word))) for word in words] for words in lists]

    embedder = TokenEmbedder(**{"dim": (5, 3, 2), "random_state": 0} | params).fit(tuples(documents()))
    new = documents(11, seed=1, words=[*WORDS, "talkable", "sees", "qqqqq"])
    return embedder.transform(tuples(documents())), embedder.transform(tuples(new))


KINDS = {
    "words and n-grams": tokens_of,
    "words alone": lambda: tokens_of(subword=None),
    "rare words have no row": lambda: tokens_of(max_features=3),
    "few buckets": lambda: tokens_of(n_buckets=7),
    "frozen": lambda: tokens_of(trainable=False),
    "frozen words alone": lambda: tokens_of(trainable=False, subword=None),
    "given vectors": lambda: tokens_of(vectors={"walking": np.arange(5.0), "x": -np.ones(5)}),
    "fields": with_fields,
    "frozen fields without n-grams": lambda: with_fields(trainable=False, subword=None),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def embedding_of(tokens, dtype=torch.float64):
    embedding = TokenEmbedding(embedding_sizes(tokens)).to(dtype)
    embedding.load(*embedding_tables(tokens))
    return embedding


def batch_of(tokens):
    ids = torch.from_numpy(tokens.ids.reshape(len(tokens), tokens.n_steps, tokens.n_fields))
    return ngrams_of(tokens, torch.device("cpu")).batch(ids)


# -- forward -----------------------------------------------------------------------------------------------------------


@each_kind
def test_vectors_are_those_of_the_dense_block(kind):
    for tokens in KINDS[kind]():
        vectors = embedding_of(tokens)(batch_of(tokens)).detach().numpy()
        np.testing.assert_allclose(vectors, np.nan_to_num(np.asarray(tokens, dtype=np.float64)), rtol=1e-6, atol=1e-7)
        padding = tokens.ids.reshape(len(tokens), tokens.n_steps, -1)[..., 0] == 0
        assert padding.any()
        assert (vectors[padding] == 0).all()
        assert np.ptp(vectors[~padding], axis=0).min() > 0.1


@each_kind
def test_vectors_of_a_document_do_not_depend_on_the_others(kind):
    tokens = KINDS[kind]()[1]
    together = embedding_of(tokens)(batch_of(tokens))
    for i in range(len(tokens)):
        alone = embedding_of(tokens[[i]])(batch_of(tokens[[i]]))
        torch.testing.assert_close(alone[0], together[i], rtol=1e-14, atol=1e-14)


def test_words_past_the_table_read_their_ngrams_only():
    tokens = tokens_of()[1]
    assert set(tokens.unseen) == {"talkable", "sees", "walks"}  # "qqqqq" shares nothing, so it is unknown
    embedding = embedding_of(tokens)
    with torch.no_grad():
        embedding.table(0)[1:] = 9.0  # all rows but that of padding
    vectors, ids = embedding(batch_of(tokens)).detach().numpy(), tokens.ids
    past = ids >= len(tokens.tables[0])
    assert past.any()
    assert np.abs(vectors[past]).max() < 5
    assert vectors[(ids > 0) & ~past].min() > 5


def test_a_batch_names_each_different_word_once():
    tokens = tokens_of()[1]
    batch = batch_of(tokens)
    np.testing.assert_array_equal(batch.words, np.unique(tokens.ids))
    np.testing.assert_array_equal(batch.words[batch.places], tokens.ids)
    sizes = np.diff(tokens.bucket_starts)[batch.words]
    np.testing.assert_array_equal(batch.starts, np.cumsum(sizes) - sizes)
    assert len(batch.buckets) == sizes.sum()
    assert len(batch) == len(tokens)
    assert batch.shape == (11, tokens.n_steps, 1)


def test_batches_of_a_data_set_hold_zeros_at_padding():
    """Not the tokens of the document behind; and they are no longer than their longest."""
    X = with_fields()[1]
    sequences = check_sequences(X)
    scaling = fit_input_scaling(sequences, None, standardize=True, window=None, channels=np.arange(10))
    dataset = SequenceDataset(standardized_base(sequences, scaling, np.dtype(np.float32), "cpu"), sequences, scaling)
    for rows in ([0, 3, 2], [1], [7, 7]):
        inputs = dataset.sequences(torch.tensor(rows))
        n_steps = X.lengths[rows].max()
        np.testing.assert_array_equal(inputs["x"].ids, X.ids[rows][:, :n_steps])
        assert inputs["x"].ids.dtype == torch.int32
        if inputs["lengths"] is not None:
            np.testing.assert_array_equal(inputs["lengths"], X.lengths[rows])


def test_ids_without_ngrams_need_no_buckets():
    embedding = TokenEmbedding(EmbeddingSizes(((4, 2), (3, 1)), None, True))
    tables = [torch.arange(8.0).reshape(4, 2), torch.arange(3.0)[:, None]]
    embedding.load(tables, None)
    ids = torch.tensor([[[3, 1], [2, 2], [0, 0]]])
    assert embedding(TokenBatch(ids)).tolist() == [[[6, 7, 1], [4, 5, 2], [0, 1, 0]]]
    assert embedding.bucket_table is None
    tables[0].zero_()
    assert embedding.table(0)[3].tolist() == [6, 7]  # a copy


# -- gradients ---------------------------------------------------------------------------------------------------------


def by_hand(tokens, tables, buckets):
    """Vectors of all tokens by plain indexing, one token after the other, (n_tokens, dim)."""
    rows = []
    for ids in tokens.flat_ids:
        word = ids[0]
        vector = tables[0][word] if word < len(tables[0]) else torch.zeros(tables[0].shape[1], dtype=torch.float64)
        own = tokens.buckets[tokens.bucket_starts[word] : tokens.bucket_starts[word + 1]]
        if len(own):
            vector = vector + sum(buckets[int(bucket)] for bucket in own) / len(own) ** 0.5
        rows.append(torch.cat([vector, *(table[i] for table, i in zip(tables[1:], ids[1:], strict=True))]))
    return torch.stack(rows)


@pytest.mark.parametrize("kind", ["words and n-grams", "few buckets", "words alone", "fields"])
def test_gradients_are_those_of_plain_indexing(kind):
    for tokens in KINDS[kind]():
        embedding = embedding_of(tokens)
        vectors = embedding(batch_of(tokens))[torch.arange(tokens.n_steps) < torch.from_numpy(tokens.lengths)[:, None]]
        direction = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        (vectors * direction).sum().backward()
        tables = [torch.tensor(table, dtype=torch.float64, requires_grad=True) for table in tokens.tables]
        buckets = None
        if tokens.bucket_table is not None:
            buckets = torch.tensor(tokens.bucket_table, dtype=torch.float64, requires_grad=True)
        (by_hand(tokens, tables, buckets) * direction).sum().backward()
        for field, table in enumerate(tables):
            torch.testing.assert_close(embedding.table(field).grad, table.grad)
        if buckets is not None:
            torch.testing.assert_close(embedding.bucket_table.grad, buckets.grad)
            assert (buckets.grad != 0).any()


def test_a_frozen_embedding_has_no_parameters():
    tokens = tokens_of(trainable=False)[0]
    assert list(embedding_of(tokens).parameters()) == []
    assert set(embedding_of(tokens).state_dict()) == {"table_0", "bucket_table"}
    assert embedding_of(tokens)(batch_of(tokens)).requires_grad is False


# -- what training does to the tables ----------------------------------------------------------------------------------


def of_net(model):
    """The tables of the first net, and that of its buckets."""
    embedding = model.net_.module_.embedding
    tables = [embedding.table(field).detach().numpy() for field in range(embedding.n_fields)]
    return tables, None if embedding.bucket_table is None else embedding.bucket_table.detach().numpy()


@pytest.mark.parametrize(
    "estimator, y",
    [
        (RNNRegressor, np.arange(23.0)),
        (RNNClassifier, np.arange(23) % 2),
        (Seq2SeqForecaster, np.arange(69.0).reshape(23, 3)),
        (SequenceTagger, [[len(word) % 2 for word in words] for words in documents()]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_transformer_keeps_its_tables_bit_for_bit(estimator, y):
    embedder = TokenEmbedder(dim=5, random_state=0)
    X = embedder.fit_transform(documents())
    table, buckets = embedder.table_.copy(), embedder.bucket_table_.copy()
    model = estimator(**SMALL | {"max_epochs": 9}, lr=0.1).fit(X, y)
    np.testing.assert_array_equal(embedder.table_, table)
    np.testing.assert_array_equal(embedder.bucket_table_, buckets)
    (own,), own_buckets = of_net(model)
    assert not np.shares_memory(own, embedder.table_)
    assert not np.shares_memory(own_buckets, embedder.bucket_table_)
    assert np.abs(own - table)[2:].max() > 0.01
    assert np.abs(own_buckets - buckets).max() > 0.01
    np.testing.assert_array_equal(own[0], 0)  # padding


def test_only_what_occurs_is_trained():
    """Rows and buckets of words that the training texts lack stay as they were, to the last bit."""
    X = tokens_of()[0]
    some = X[np.array([words[0] in ("walking", "seen") and len(set(words)) <= 2 for words in documents()])]
    assert 0 < len(some) < len(X)
    model = RNNRegressor(**SMALL, dtype="float32").fit(some, np.arange(len(some)))
    ids = np.unique(some.ids)
    used = np.unique(np.concatenate([X.buckets[X.bucket_starts[i] : X.bucket_starts[i + 1]] for i in ids]))
    (table,), buckets = of_net(model)
    changed = np.flatnonzero((table != X.tables[0]).any(axis=1))
    np.testing.assert_array_equal(changed, ids[ids > 0])
    np.testing.assert_array_equal(np.flatnonzero((buckets != X.bucket_table).any(axis=1)), used)
    assert len(used) < len(X.bucket_table)


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("fields", [False, True])
def test_trainable_decides_for_all_tables(trainable, fields):
    X = (with_fields if fields else tokens_of)(trainable=trainable)[0]
    model = RNNRegressor(**SMALL, dtype="float32").fit(X, np.arange(23.0))
    tables, buckets = of_net(model)
    for own, first in zip([*tables, buckets], [*X.tables, X.bucket_table], strict=True):
        assert (own != first).any() == trainable
    n_numbers = sum(table.size for table in X.tables) + X.bucket_table.size
    parts = model.summary().set_index("part")["n_parameters"]
    assert parts.get("embedding", 0) == (n_numbers if trainable else 0)


def test_nets_of_an_ensemble_have_tables_of_their_own():
    model = RNNRegressor(**SMALL, n_nets=2).fit(tokens_of()[0], np.arange(23.0))
    first, second = (net.module_.embedding.table(0).detach().numpy() for net in model.nets_)
    assert (first != second).any()
    assert not np.shares_memory(first, second)


@pytest.mark.parametrize("source", ["dict", "svd"])
def test_training_begins_with_the_vectors_given(source):
    vectors = {word: np.linspace(-1, 1, 5) * i for i, word in enumerate(WORDS)} if source == "dict" else "svd"
    embedder = TokenEmbedder(dim=5, vectors=vectors, random_state=0)
    X = embedder.fit_transform(documents())
    model = RNNRegressor(**SMALL | {"max_epochs": 1}, lr=1e-12).fit(X, np.arange(23.0))
    (table,), buckets = of_net(model)
    np.testing.assert_allclose(table, embedder.table_, atol=1e-8)
    np.testing.assert_allclose(buckets, 0, atol=1e-8)
    if source == "dict":
        np.testing.assert_allclose(table[embedder.vocabulary_["talks"]], vectors["talks"], atol=1e-6)
    trained = RNNRegressor(**SMALL, lr=0.1).fit(X, np.arange(23.0))
    assert np.abs(of_net(trained)[0][0] - embedder.table_).max() > 0.01
    assert np.abs(of_net(trained)[1]).max() > 0.01  # buckets of zeros are no dead end


# -- the plain path as the oracle --------------------------------------------------------------------------------------

TAGS = [[len(word) % 3 for word in words] for words in documents()]
FITS = {
    "regressor": (RNNRegressor, {"bidirectional": True}, np.arange(23.0)),
    "regressor, convolution and patches": (RNNRegressor, {"conv_channels": 4, "patch_size": 2}, np.arange(23.0)),
    "regressor, dropout": (RNNRegressor, {"input_dropout": 0.3, "pooling": "attention"}, np.arange(23.0)),
    "classifier": (RNNClassifier, {"class_weight": "balanced"}, np.arange(23) % 3),
    "classifier in small batches": (RNNClassifier, {"batch_size": 4, "n_nets": 2}, np.arange(23) % 3),
    "forecaster": (Seq2SeqForecaster, {"attention": "additive"}, np.random.RandomState(2).randn(23, 3)),
    "forecaster, parallel": (Seq2SeqForecaster, {"decoder": "parallel"}, np.random.RandomState(2).randn(23, 3)),
    "tagger": (SequenceTagger, {"batch_size": 5}, TAGS),
    "tagger with a CRF": (SequenceTagger, {"crf": True, "bidirectional": True}, TAGS),
}


@pytest.mark.parametrize("make", [tokens_of, with_fields], ids=["words", "fields"])
@pytest.mark.parametrize("fit", FITS)
def test_frozen_tokens_train_as_their_dense_block(fit, make):
    estimator, params, y = FITS[fit]
    X, new = make(trainable=False)
    model = estimator(**SMALL | {"max_epochs": 5}, standardize=False, dtype="float64", **params)
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    of_tokens = getattr(model.fit(X, y), method)(new)
    losses = model.history_["train_loss"].to_numpy()
    of_numbers = getattr(model.fit(np.asarray(X), y), method)(np.asarray(new))
    np.testing.assert_allclose(model.history_["train_loss"], losses, rtol=1e-5)
    for row, other in zip(of_tokens, of_numbers, strict=True):
        np.testing.assert_allclose(row, other, rtol=1e-4, atol=1e-5)
    assert np.ptp(np.concatenate([np.ravel(row) for row in of_tokens])) > 0.01


def test_tokens_are_not_standardised():
    """Neither the ids nor their vectors: `standardize` is for y alone then."""
    X, new = tokens_of(trainable=False)
    y = np.random.RandomState(3).randn(23)
    y = (y - y.mean()) / y.std()
    on, off = (RNNRegressor(**SMALL, standardize=flag).fit(X, y).predict(new) for flag in (True, False))
    np.testing.assert_allclose(on, off, rtol=1e-6)


@pytest.mark.parametrize("dtype, rtol", [("float64", 1e-12), ("float32", 1e-6)])
@pytest.mark.parametrize("fit", FITS)
def test_a_row_predicts_alone_what_it_predicts_in_a_batch(fit, dtype, rtol):
    estimator, params, y = FITS[fit]
    X, new = tokens_of()
    model = estimator(**SMALL, dtype=dtype, **params).fit(X, y)
    method = getattr(model, "predict_proba" if hasattr(model, "predict_proba") else "predict")
    together = method(new)
    assert len(set(new.lengths)) == 7
    for i in range(len(new)):
        np.testing.assert_allclose(method(new[[i]])[0], together[i], rtol, atol=rtol, err_msg=f"row {i}")
        np.testing.assert_allclose(method(new[i : i + 2])[0], together[i], rtol, atol=rtol, err_msg=f"rows from {i}")


# -- what may be fed ---------------------------------------------------------------------------------------------------


def others():
    return TokenEmbedder(dim=5, random_state=0).fit_transform(documents(words=["other", "words"]))


Y = np.arange(23.0)


def test_tokens_of_another_embedder_are_refused():
    X = tokens_of()[0]
    model = RNNRegressor(**SMALL).fit(X, Y)
    expected = model.predict(X)
    message = "made by another TokenEmbedder than those of `fit`.*Transform with the TokenEmbedder that was fitted"
    for call in (
        lambda: model.predict(others()),
        lambda: model.score(others(), Y),
        lambda: model.encode(others()),
        lambda: model.partial_fit(others(), Y),
        lambda: model.fit(X, Y, X_val=others(), y_val=Y),
    ):
        with pytest.raises(ValueError, match=message):
            call()
        np.testing.assert_array_equal(model.predict(X), expected)
    with pytest.raises(ValueError, match="the vocabulary has changed.*Set warm_start=False, or fit the embedder once"):
        model.set_params(warm_start=True).fit(others(), Y)
    np.testing.assert_array_equal(model.predict(X), expected)


def test_same_words_but_other_buckets_are_another_embedder():
    model = RNNRegressor(**SMALL).fit(tokens_of()[0], Y)
    for params in ({"subword": None}, {"n_buckets": 50}, {"subword": (2, 4)}):
        with pytest.raises(ValueError, match="another TokenEmbedder"):
            model.predict(tokens_of(**params)[0])
    with pytest.raises(ValueError, match="X has 4 channels, but 5 were expected"):
        model.predict(tokens_of(dim=4)[0])


def test_numbers_after_tokens_and_tokens_after_numbers():
    X = tokens_of()[0]
    dense = np.asarray(X)
    of_tokens, of_numbers = RNNRegressor(**SMALL).fit(X, Y), RNNRegressor(**SMALL).fit(dense, Y)
    message = "was fitted on {}, but X holds {}. Pass X in the form that `fit` had"
    kinds = ["tokens [(]from TokenEmbedder[)]", "numbers"]
    for method in ("predict", "encode"):
        with pytest.raises(ValueError, match=message.format(*kinds)):
            getattr(of_tokens, method)(dense)
        with pytest.raises(ValueError, match=message.format(*kinds[::-1])):
            getattr(of_numbers, method)(X)
    with pytest.raises(ValueError, match="holds numbers"):
        of_tokens.partial_fit(dense, Y)
    for model, other in ((of_tokens, dense), (of_numbers, X)):
        with pytest.raises(ValueError, match="Pass X in the form|warm_start=False"):
            model.set_params(warm_start=True).fit(other, Y)
        model.set_params(warm_start=False).fit(other, Y)  # a new fit may be of the other kind


def test_warm_start_goes_on_with_the_tables_that_it_has():
    X = tokens_of()[0]
    model = RNNRegressor(**SMALL | {"max_epochs": 5}, warm_start=True, lr=0.1).fit(X, Y)
    before = of_net(model)[0][0].copy()
    model.set_params(lr=1e-12).fit(X, Y)
    np.testing.assert_allclose(of_net(model)[0][0], before, atol=1e-6)
    assert np.abs(before - X.tables[0]).max() > 0.1
    cold = model.set_params(warm_start=False).fit(X, Y)
    np.testing.assert_allclose(of_net(cold)[0][0], X.tables[0], atol=1e-6)


@pytest.mark.parametrize("scaling", ["last", "standard", "last_standard"])
@pytest.mark.parametrize("estimator", [RNNRegressor, RNNClassifier, Seq2SeqForecaster])
def test_window_scaling_is_for_numbers(scaling, estimator):
    with pytest.raises(ValueError, match=f"window_scaling='{scaling}' is for numbers, and X is tokens"):
        estimator(**SMALL, window_scaling=scaling).fit(tokens_of()[0], Y)
    estimator(**SMALL, window_scaling=None).fit(tokens_of()[0], Y % 2)


@pytest.mark.parametrize(
    "model, message",
    [
        (RNNRegressor(**SMALL, target_channels=[0]), r"`target_channels`=\[0\] names a channel, but X is tokens"),
        (Seq2SeqForecaster(**SMALL, future_channels=[0]), r"`future_channels`=\[0\] names a channel, but X is tok"),
        (Seq2SeqForecaster(**SMALL, channels="shared"), "channels='shared' applies the net to the past of each output"),
        (RNNRegressor(**SMALL, n_channels=3), "X has 5 channels, but n_channels=3 was set"),
        (RNNRegressor(**SMALL, horizon=2), "horizon=2 builds each row's future .*X must be windows of a series"),
        (RNNRegressor(**SMALL, patch_size=8), r"patch_size=8 is longer than the sequences of X, which have 7 step"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_words_do_not_have(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(tokens_of()[0], Y)


def test_ids_are_taken_neither_for_tokens_nor_for_values():
    X = tokens_of()[0]
    model = RNNRegressor(**SMALL).fit(X, Y)
    for ids in (X.ids, X.ids[:5], X.ids[..., None]):
        for call in (lambda ids=ids: RNNRegressor(**SMALL).fit(ids, Y[: len(ids)]), lambda ids=ids: model.predict(ids)):
            with pytest.raises(ValueError, match="ids are no values. Pass what TokenEmbedder gives"):
                call()


def test_integers_in_an_array_are_numbers():
    """No estimator takes them for tokens, whatever is in them."""
    X = tokens_of()[0]
    integers = np.array(X.ids)
    for ids in (integers, integers[..., None]):
        model = RNNRegressor(**SMALL).fit(ids, Y)
        assert model.net_.module_.embedding is None
        assert model.n_channels_ == 1
        np.testing.assert_allclose(model.predict(ids.astype(float)), model.predict(ids))
        with pytest.raises(ValueError, match="Pass X in the form|X has 5 channels"):
            model.predict(X)
    model = RNNRegressor(**SMALL).fit(X, Y)
    for ids in (integers, integers[..., None], integers.tolist(), [row[row > 0] for row in integers]):
        with pytest.raises(ValueError, match="X is a 2-D table|but 5 were expected"):
            model.predict(ids)


def test_tokens_made_by_hand():
    """`EmbeddedTokens` need no embedder: tables without n-grams, and no name."""
    rng = np.random.RandomState(4)
    X = EmbeddedTokens(
        rng.randint(1, 6, (40, 2)),
        firsts=np.arange(0, 40, 4),
        lengths=1 + np.arange(10) % 4,
        tables=[np.r_[np.zeros((1, 3)), rng.randn(5, 3)], np.r_[np.zeros((1, 2)), rng.randn(5, 2)]],
    )
    y = np.array([X.flat_ids[i : i + n, 1].mean() for i, n in zip(X.firsts, X.lengths, strict=True)])
    model = RNNRegressor("gru", hidden_size=5, max_epochs=150, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9
