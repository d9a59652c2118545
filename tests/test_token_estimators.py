"""Texts in, labels, ratings and forecasts out: `TokenEmbedder` in front of every estimator, as users write it."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline

from skrnn import EmbeddedTokens, RNNClassifier, RNNRegressor, Seq2SeqForecaster, SequenceTagger, TokenEmbedder
from skrnn.nn._embedding import TokenEmbedding

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")
SMALL = {"cell": "gru", "hidden_size": 4, "max_epochs": 3, "random_state": 0}
VALUES = {"awful": -2, "bad": -1, "dull": -1, "film": 0, "the": 0, "plot": 0, "good": 1, "fine": 1, "great": 2}


def reviews(n_samples=120, seed=0, longest=7):
    """Texts, and ratings: what their words are worth in all, the word after "not" the other way round."""
    rng, texts, ratings = np.random.RandomState(seed), [], []
    for i in range(n_samples):
        words = rng.choice(list(VALUES), 1 + i % longest).tolist()
        negated = rng.rand(len(words)) < 0.3
        ratings.append(sum(VALUES[word] * (-1 if no else 1) for word, no in zip(words, negated, strict=True)))
        texts.append(" ".join(f"not {word}" if no else word for word, no in zip(words, negated, strict=True)))
    return texts, np.array(ratings, dtype=float)


def embedder(**params):
    return TokenEmbedder(**{"dim": 6, "n_buckets": 500, "random_state": 0} | params)


# -- labels ------------------------------------------------------------------------------------------------------------


def spam():
    """Messages, and which of them want money; both kinds have words that are in no other message."""
    rng = np.random.RandomState(1)
    usual, bait, place = ["see", "you", "at", "ok", "call", "me"], ["win", "cash", "prize"], ["street", "house"]
    texts, labels = [], []
    for i in range(80):
        words = rng.choice(usual, 2 + i % 5).tolist()
        if i % 2:
            words.insert(rng.randint(len(words)), f"{rng.choice(bait if i % 4 == 1 else place)}{rng.randint(1000)}")
        texts.append(" ".join(words))
        labels.append("spam" if i % 4 == 1 else "ham")
    return texts, labels


def test_search_over_analyzers_and_cells():
    texts, labels = spam()
    pipe = make_pipeline(
        embedder(), RNNClassifier(**SMALL | {"hidden_size": 8, "max_epochs": 15}, class_weight="balanced")
    )
    grid = {"tokenembedder__analyzer": ["word", "char"], "rnnclassifier__cell": ["gru", "lstm"]}
    search = GridSearchCV(pipe, grid, cv=2).fit(texts, labels)
    assert search.best_score_ > 0.8  # .75 are ham
    assert set(search.predict(["win cash12", "see you at home"])) == {"ham", "spam"}
    in_processes = GridSearchCV(pipe, grid, cv=2, n_jobs=2).fit(texts, labels)
    for column in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(in_processes.cv_results_[column], search.cv_results_[column])
    np.testing.assert_array_equal(in_processes.predict_proba(texts), search.predict_proba(texts))


def test_words_of_no_training_text_are_known_by_their_ngrams():
    texts, labels = spam()
    baits, places = ([f"see you {word}x me" for word in kind] for kind in (("win9", "cash8"), ("house7", "street6")))
    pipe = make_pipeline(embedder(min_df=2), RNNClassifier(**SMALL | {"max_epochs": 30})).fit(texts, labels)
    assert pipe.predict(baits).tolist() == ["spam"] * 2
    assert pipe.predict(places).tolist() == ["ham"] * 2
    proba = pipe.set_params(tokenembedder__subword=None).fit(texts, labels).predict_proba([*baits, *places])
    assert np.ptp(proba[:, 0]) < 1e-6  # without n-grams all are the same unknown word


def test_a_text_without_tokens_is_one_unknown_token():
    texts, labels = spam()
    pipe = make_pipeline(embedder(), RNNClassifier(**SMALL)).fit([*texts, "", "  "], [*labels, "ham", "ham"])
    proba = pipe.predict_proba(["", "\n", "call"])
    np.testing.assert_allclose(proba[0], proba[1], rtol=1e-6)
    assert abs(proba[0, 0] - proba[2, 0]) > 1e-3


@pytest.mark.parametrize("wrap", [list, tuple, np.array, lambda texts: pd.Series(texts, index=range(7, 87))])
def test_texts_in_any_container(wrap):
    texts, labels = spam()
    pipe = make_pipeline(embedder(), RNNClassifier(**SMALL))
    expected = clone(pipe).fit(texts, labels).predict_proba(texts)
    np.testing.assert_array_equal(pipe.fit(wrap(texts), labels).predict_proba(wrap(texts)), expected)


# -- ratings -----------------------------------------------------------------------------------------------------------


def test_ratings_of_texts():
    texts, ratings = reviews(240)
    net = RNNRegressor("gru", hidden_size=12, max_epochs=40, random_state=0)
    pipe = make_pipeline(embedder(), net).fit(texts[:180], ratings[:180])
    assert pipe.score(texts[180:], ratings[180:]) > 0.8  # the mean has 0, a count of words without "not" .4
    assert pipe.predict(["good great"])[0] > 1 > 0 > pipe.predict(["not good not great"])[0]


def test_weights_of_texts_are_repetitions():
    texts, ratings = reviews(24)
    X, weight = embedder().fit_transform(texts), np.arange(24) % 3
    rows = np.repeat(np.arange(24), weight)
    net = RNNRegressor(**SMALL | {"max_epochs": 15}, batch_size=100, shuffle=False)
    weighted = net.fit(X, ratings, sample_weight=weight).predict(X)
    np.testing.assert_allclose(weighted, clone(net).fit(X[rows], ratings[rows]).predict(X), rtol=1e-8)
    assert np.abs(weighted - clone(net).fit(X, ratings).predict(X)).max() > 0.01
    pipe = make_pipeline(embedder(), net).fit(texts, ratings, rnnregressor__sample_weight=weight)
    np.testing.assert_array_equal(pipe.predict(texts), weighted)


def test_quantiles_of_ratings_and_several_outputs():
    texts, ratings = reviews(40)
    pipe = make_pipeline(embedder(), RNNRegressor(**SMALL, loss="quantile", quantiles=(0.2, 0.5, 0.8)))
    X = pipe.fit(texts, ratings)[0].transform(texts)
    assert pipe[-1].predict_quantiles(X).shape == (40, 3)
    both = np.c_[ratings, -ratings]
    assert make_pipeline(embedder(), RNNRegressor(**SMALL)).fit(texts, both).predict(texts).shape == (40, 2)


def test_a_rating_at_each_token():
    texts, _ = reviews(60)
    sentences = [text.split() for text in texts]
    y = [np.cumsum([VALUES.get(word, 0) for word in words]) for words in sentences]
    pipe = make_pipeline(embedder(), RNNRegressor("gru", hidden_size=8, max_epochs=60, return_sequences=True))
    pipe.set_params(rnnregressor__random_state=0).fit(sentences, y)
    predicted = pipe.predict(sentences)
    assert [row.shape for row in predicted] == [(len(words),) for words in sentences]
    truth = np.concatenate(y)
    assert np.mean((np.concatenate(predicted) - truth) ** 2) < 0.2 * truth.var()


def test_the_usual_tools():
    texts, ratings = reviews(60)
    pipe = make_pipeline(embedder(), RNNRegressor(**SMALL))
    assert cross_val_score(pipe, texts, ratings, cv=3).shape == (3,)
    assert cross_val_predict(pipe, texts, ratings, cv=3).shape == (60,)
    X = embedder().fit_transform(texts)
    search = GridSearchCV(RNNRegressor(**SMALL), {"cell": ["gru", "rnn"]}, cv=2).fit(X, ratings)
    assert search.predict(X[:5]).shape == (5,)


def test_states_rates_and_parts():
    texts, ratings = reviews(50)
    X = embedder().fit_transform(texts)
    model = RNNRegressor(**SMALL | {"cell": "lstm"}, bidirectional=True).fit(X, ratings)
    h, c = model.encode(X)
    assert h.shape == c.shape == (50, 8)
    steps, lengths = model.encode(X, return_sequences=True)
    np.testing.assert_array_equal(lengths, X.lengths)
    assert steps.shape == (50, X.n_steps, 8)
    np.testing.assert_array_equal(np.isnan(steps[..., 0]), X.ids == 0)
    for i in (0, 5, 11):
        np.testing.assert_allclose(steps[i, lengths[i] - 1, :4], h[i, :4], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(model.encode(X[[i]])[1][0], c[i], rtol=1e-5, atol=1e-7)
    results, suggested = model.lr_range_test(X, ratings, 1e-4, 10.0, n_lrs=12)
    assert suggested > 0
    assert len(results) > 3
    parts = model.summary()
    assert parts.loc[0, ["part", "kind"]].tolist() == ["embedding", "TokenEmbedding"]
    assert parts["n_parameters"].iloc[0] == X.tables[0].size + X.bucket_table.size
    assert parts["output_shape"].iloc[0] == f"(batch, {X.n_steps}, 6)"
    assert parts["n_parameters"].iloc[-1] == sum(weight.numel() for weight in model.net_.module_.parameters())


def test_partial_fit_trains_the_vectors_further():
    texts, ratings = reviews(200)
    X = embedder().fit_transform(texts)
    model = RNNRegressor("gru", hidden_size=8, random_state=0)
    errors = []
    for _ in range(25):
        model.partial_fit(X[:100], ratings[:100]).partial_fit(X[100:], ratings[100:])
        errors.append(np.mean((model.predict(X) - ratings) ** 2))
    assert errors[-1] < 0.3 * ratings.var() < errors[0]
    assert (model.net_.module_.embedding.table(0).detach().numpy() != X.tables[0]).any(axis=1)[2:].all()


def test_pickles_and_seeds():
    texts, ratings = reviews(40)
    pipe = make_pipeline(embedder(), RNNRegressor(**SMALL)).fit(texts, ratings)
    new = ["greatest badly", "", "the unfilmed plot"]
    restored = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(restored.predict(new), pipe.predict(new))
    np.testing.assert_array_equal(clone(pipe).fit(texts, ratings).predict(new), pipe.predict(new))
    other = clone(pipe).set_params(tokenembedder__random_state=1).fit(texts, ratings)
    assert (other.predict(new) != pipe.predict(new)).all()


def test_given_vectors_help_with_words_that_training_lacks():
    """Frozen vectors along one axis: a word that no training text has is read by its vector."""
    vectors = {word: np.full(6, value, dtype=float) for word, value in VALUES.items()}
    texts = [" ".join(text.replace("not ", "").split()) for text in reviews(60)[0]]
    kept = [text for text in texts if not {"great", "awful"} & set(text.split())]
    ratings = [sum(VALUES[word] for word in text.split()) for text in kept]
    # a vocabulary is learned without labels, so that it may be that of more texts
    tokens = embedder(vectors=vectors, trainable=False, subword=None).fit([*kept, "great awful"])
    net = RNNRegressor("gru", hidden_size=8, max_epochs=60, random_state=0)
    low, high = net.fit(tokens.transform(kept), ratings).predict(tokens.transform(["awful", "great"]))
    assert low < -0.5
    assert high > 0.5


# -- forecasts ---------------------------------------------------------------------------------------------------------


def futures(n_samples=120):
    """What each of 3 days after a text brings: its rating, twice that, and the opposite."""
    texts, ratings = reviews(n_samples)
    return texts, np.stack([ratings, 2 * ratings, -ratings], axis=1)


@pytest.mark.parametrize("params", [{}, {"horizon": 3}, {"linear_skip": True}, {"loss": "quantile"}, {"n_nets": 2}])
@pytest.mark.parametrize("decoder", ["autoregressive", "parallel", "direct"])
def test_forecasts_have_the_shape_of_y(decoder, params):
    texts, y = futures(40)
    pipe = make_pipeline(embedder(), Seq2SeqForecaster(**SMALL, decoder=decoder, **params)).fit(texts, y)
    assert pipe.predict(texts[:7]).shape == (7, 3)
    assert np.isfinite(pipe.predict(["", "good"])).all()


def test_forecasts_of_several_outputs_and_of_one_step():
    texts, y = futures(40)
    pipe = make_pipeline(embedder(), Seq2SeqForecaster(**SMALL))
    assert pipe.fit(texts, np.stack([y, -y], axis=2)).predict(texts[:7]).shape == (7, 3, 2)
    assert pipe.fit(texts, y[:, 0]).predict(texts[:7]).shape == (7,)


@pytest.mark.parametrize("attention", ["additive", "dot"])
@pytest.mark.parametrize("decoder", ["autoregressive", "parallel"])
def test_attention_looks_at_tokens_only(decoder, attention):
    texts, y = futures(40)
    X = embedder().fit_transform(texts)
    model = Seq2SeqForecaster(**SMALL, decoder=decoder, attention=attention).fit(X, y)
    weights = model.attention_weights(X)
    assert weights.shape == (40, 3, X.n_steps)
    np.testing.assert_array_equal(np.isnan(weights), np.broadcast_to(X.ids[:, None] == 0, weights.shape))
    np.testing.assert_allclose(np.nansum(weights, axis=2), 1, rtol=1e-6)


def test_forecasts_learn_from_texts():
    texts, y = futures(240)
    net = Seq2SeqForecaster("gru", hidden_size=12, max_epochs=25, attention="additive", random_state=0)
    pipe = make_pipeline(embedder(), net).fit(texts[:180], y[:180])
    error = ((pipe.predict(texts[180:]) - y[180:]) ** 2).mean(axis=0)
    assert (error < 0.3 * y[180:].var(axis=0)).all()


def test_distributions_of_forecasts():
    texts, y = futures(40)
    pipe = make_pipeline(embedder(), Seq2SeqForecaster(**SMALL, loss="gaussian")).fit(texts, y)
    X = pipe[0].transform(texts[:7])
    assert pipe[-1].sample(X, 5, random_state=0).shape == (7, 3, 5)
    assert [part.shape for part in pipe[-1].predict(X, return_std=True)] == [(7, 3)] * 2


# -- memory ------------------------------------------------------------------------------------------------------------

N_TEXTS, LONGEST, DIM = 600, 150, 256
LENGTHS = np.random.RandomState(5).randint(100, LONGEST + 1, N_TEXTS)
DENSE = N_TEXTS * LONGEST * DIM * 4  # bytes; 92 MB


def long_texts():
    rng = np.random.RandomState(6)
    words = np.array([f"w{i}" for i in range(300)])
    return [" ".join(words[rng.randint(300, size=length)]) for length in LENGTHS]


@pytest.fixture
def numbers_embedded(monkeypatch):
    """How many rows and numbers each call of the embedding gave."""
    forward, calls = TokenEmbedding.forward, []

    def counted(self, x):
        vectors = forward(self, x)
        calls.append((len(vectors), vectors.numel()))
        return vectors

    monkeypatch.setattr(TokenEmbedding, "forward", counted)
    return calls


@pytest.mark.parametrize(
    "estimator, y",
    [
        (RNNClassifier, np.arange(N_TEXTS) % 2),
        (RNNRegressor, np.arange(N_TEXTS) / 7),
        (Seq2SeqForecaster, np.arange(3.0 * N_TEXTS).reshape(N_TEXTS, 3)),
        (SequenceTagger, [np.arange(length) % 2 for length in LENGTHS]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_dense_block_is_never_there(estimator, y, numbers_embedded, monkeypatch):
    """From texts to predictions: what numpy holds stays far below it, and torch sees a batch at a time."""
    dense = []
    monkeypatch.setattr(EmbeddedTokens, "__array__", lambda self, *args, **kwargs: dense.append(1))
    for module in ("_prediction", "_building_estimator"):
        monkeypatch.setattr(f"skrnn.{module}.MOST_STEPS", 20 * LONGEST)  # of a batch that is predicted
    texts = long_texts()
    net = estimator("gru", hidden_size=2, max_epochs=1, max_steps=3, batch_size=16, dtype="float32", random_state=0)
    pipe = make_pipeline(TokenEmbedder(DIM, subword=None, random_state=0), net)
    pipe.fit(texts[:8], y[:8])  # what is imported, and made once
    numbers_embedded.clear()
    tracemalloc.start()
    try:
        pipe.fit(texts, y)
        pipe[-1].predict(pipe[0].transform(texts[:100]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < DENSE / 5
    assert not dense
    in_training = [numbers for rows, numbers in numbers_embedded if rows == 16]
    assert len(in_training) >= 3
    assert max(numbers for _, numbers in numbers_embedded) < DENSE / 4 / 16


def test_pickles_and_slices_of_tokens_hold_no_block():
    X = TokenEmbedder(DIM, subword=None, random_state=0).fit_transform(long_texts())
    assert X.shape == (N_TEXTS, LONGEST, DIM)
    tables = X.tables[0].nbytes
    assert len(pickle.dumps(X)) < tables + 4 * X.flat_ids.size + 50_000 < DENSE / 100
    assert len(pickle.dumps(X[:3])) < tables + 10_000


def test_texts_of_one_token_are_no_series():
    X = TokenEmbedder(3, random_state=0).fit_transform([["a"], ["b"]] * 20)
    with pytest.raises(ValueError, match="windows of a series"):
        RNNRegressor("gru", hidden_size=3, max_epochs=1, horizon=2).fit(X, np.arange(40.0))


def test_documents_in_another_order():
    X = TokenEmbedder(3, random_state=0).fit_transform([["a"] * (1 + i % 5) for i in range(20)])
    model = RNNClassifier("gru", hidden_size=3, max_epochs=1, random_state=0).fit(X, np.arange(20) % 2)
    np.testing.assert_allclose(model.predict_proba(X[::-1]), model.predict_proba(X)[::-1], atol=1e-6)
