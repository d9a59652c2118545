"""Texts as sequences of word vectors: tokens, vocabulary, tables and n-gram buckets, fitted without labels."""

from __future__ import annotations

import hashlib
import reprlib
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skrnn._embedded_tokens import PADDING, UNKNOWN, EmbeddedTokens
from skrnn._subwords import Subwords
from skrnn._text_parameters import check_dims, check_text_parameters
from skrnn._tokens import Tokens, read_tokens
from skrnn._vocabulary import learn_vocabulary, look_up, not_in
from skrnn._word_vectors import find_vectors, svd_vectors

__all__ = ["TokenEmbedder"]

TABLE_NORM = 1.0  # typical length of a random vector of a token: each number has TABLE_NORM / sqrt(dim)
BUCKET_NORM = 1.0  # the same of an n-gram bucket


class TokenEmbedder(TransformerMixin, BaseEstimator):
    """Turn texts into sequences of word vectors, for a recurrent net to read.

    The step of a Pipeline before an estimator of this package, which trains its own copy of the vectors. Documents in
    are samples out: `transform` gives `EmbeddedTokens`, a lazy array of shape (n_documents, n_steps, dim) that holds
    ids and tables; any other consumer gets the dense block, a document shorter than the longest ending in all-NaN
    steps. A token's vector is its row of a table plus those of its character n-grams (their sum over the root of
    their number), so that words unseen in `fit` differ from each other too.

    Parameters
    ----------
    dim : int or tuple of int, default=64
        The size of a token's vector. A tuple, one int for each field, where tokens are tuples of strings.
    analyzer : {"word", "char", "char_wb"} or callable, default="word"
        What a token of a text is, as in scikit-learn's ``CountVectorizer`` with n-grams of one: a word, a character,
        or a character of words padded with a space on either side. A callable makes the list of tokens of a text.
        Documents that are lists or tuples of tokens bypass it, and `lowercase` and `stop_words` with it.
    tokenizer : callable or object with ``encode``, default=None
        With ``analyzer="word"``, cuts a text (after `lowercase`) into a list of tokens, instead of `token_pattern`. An
        object that is not callable is read as a Hugging Face ``tokenizers.Tokenizer``: ``.encode(text).tokens``.
    lowercase : bool, default=True
        Whether to make texts lower case first. Not with a callable `analyzer`, as in scikit-learn.
    token_pattern : str, default=r"\\w+|[^\\w\\s]"
        The regular expression of a token: words of any length and single punctuation marks.
    stop_words : {"english"}, list of str, default=None
        Words to leave out of texts, with ``analyzer="word"``. None means none.
    min_df : int or float, default=1
        The least number of documents of `fit` (a float: share of them) that have a token of the vocabulary. With
        `subword`, rarer words live by their n-grams alone; else they are unknown tokens.
    max_features : int, default=None
        The most tokens of a vocabulary: those that occur most often. None means all.
    max_length : int, default=None
        The most tokens of a document, in `fit` and in `transform`. None means all.
    truncate : {"end", "start"}, default="end"
        Where a document that is too long is cut: "end" keeps its first tokens, "start" its last.
    subword : tuple of two ints, default=(3, 5)
        The length of the shortest and longest character n-grams of ``"<token>"``, the whole of it left out, that give
        a token's vector together with its row. None means the row alone. Of tuples, the first field has n-grams; a
        single character has none of length 3.
    n_buckets : int, default=65536
        The number of values of the hash of n-grams: n-grams with the same hash share a vector.
    vectors : dict, DataFrame, path, "svd" or object, default=None
        Vectors for the rows of the table (of the first field), each of size `dim`: a dict or anything with
        ``__contains__`` and ``__getitem__``, a table with the tokens as its index, or the path of a text file of
        word2vec or GloVe, of which only the needed lines are kept. A token that is not there is looked up in lower
        case. "svd" takes positive pointwise mutual information of the texts of `fit` and a truncated SVD. N-grams
        then begin at zero, so that vectors are at first as given. None means random rows.
    trainable : bool, default=True
        Whether an estimator of this package may train its copy of the tables.
    random_state : int, RandomState instance or None, default=None
        Starts the random vectors. An int gives the same each time.

    Attributes
    ----------
    vocabulary_ : dict of str to int, or list of them
        The id of each token; ``"<pad>"`` is 0 and ``"<unk>"`` 1, the others are sorted. One dict for each field where
        tokens are tuples.
    table_ : ndarray of shape (n_vocab, dim), float32, or list of them
        The vectors of the vocabulary before any training: row 0 zeros, row 1 of unknown tokens.
    bucket_table_ : ndarray of shape (n_used_buckets, dim), float32, or None
        The vectors of the buckets that n-grams of `fit` fall into. None without any.
    n_vectors_found_ : int
        The number of tokens of the vocabulary whose vector is from `vectors`.

    Raises
    ------
    ValueError
        If a parameter is out of range; if X is a bare string, a table or of more than one axis; if a document is
        missing, neither text nor list, or a list of something else than str (or tuples of str, in all documents
        alike); if no document of `fit` has a token, or none is left by `min_df`; if `dim` does not say a size for
        each field; if vectors are of another size than `dim`.
    FileNotFoundError
        If `vectors` is the path of a file that does not exist.

    See Also
    --------
    EmbeddedTokens : What `transform` gives.

    Notes
    -----
    An empty document is a sequence of one unknown token. A token of the data that reads ``<pad>`` or ``<unk>``, which
    no pattern above can make of a text, is an unknown token. `min_df` and `max_features` act on each field. All words
    of `fit` give their n-grams a vector, those that are too rare for the vocabulary too; n-grams that occur in no word
    of `fit` are left out, and a word of `transform` that has no other is unknown.

    `clone`, and with it a search, copies `vectors`; where they are large, the path of a file costs nothing.

    The first vectors are random: give this step a `random_state` too, where a pipeline is to be repeated exactly.

    Estimators of scikit-learn that take tables read one vector a text, for example the mean of its words::

        mean = FunctionTransformer(lambda X: np.nanmean(np.asarray(X), axis=1))
        make_pipeline(TokenEmbedder(vectors="svd"), mean, LogisticRegression())

    A text column of a frame is taken out first: ``make_pipeline(FunctionTransformer(lambda frame: frame["text"]),
    TokenEmbedder(), RNNClassifier())``. Inside a ColumnTransformer, whose parts must be tables, take both.

    Texts that are `fit` together in a Pipeline inside a cross-validation see no test text. `get_feature_names_out` is
    absent, since there are no columns; `set_output` does nothing, and is there for ``Pipeline.set_output``.

    References
    ----------
    Bojanowski, Grave, Joulin, Mikolov (2017), Enriching word vectors with subword information.
    Levy, Goldberg (2014), Neural word embedding as implicit matrix factorization.
    Levy, Goldberg, Dagan (2015), Improving distributional similarity with lessons learned from word embeddings.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import TokenEmbedder
    >>> embedder = TokenEmbedder(dim=3, random_state=0)
    >>> X = embedder.fit_transform(["Call me, now!", "Call"])
    >>> X
    EmbeddedTokens(n_samples=2, n_steps=5, dim=3, n_vocab=7, n_buckets=16)
    >>> X.ids
    TokenIds([[4, 5, 3, 6, 2],
              [4, 0, 0, 0, 0]], dtype=int32)
    >>> np.isnan(np.asarray(X)[1, :, 0])
    array([False,  True,  True,  True,  True])
    >>> embedder.inverse_transform(X)
    [['call', 'me', ',', 'now', '!'], ['call']]

    Words of no training text, told apart by what they share with known ones; without anything shared, unknown:

    >>> new = embedder.transform(["calling, recall: xyz"])
    >>> embedder.inverse_transform(new)
    [['calling', ',', 'recall', '<unk>', '<unk>']]

    Sentences of words and parts of speech:

    >>> tagged = [[("Dogs", "NOUN"), ("bark", "VERB")], [("Sit", "VERB")]]
    >>> TokenEmbedder(dim=(8, 2)).fit_transform(tagged).shape
    (2, 2, 10)
    """

    def __init__(
        self,
        dim: Any = 64,
        *,
        analyzer: Any = "word",
        tokenizer: Any = None,
        lowercase: bool = True,
        token_pattern: str = r"\w+|[^\w\s]",
        stop_words: Any = None,
        min_df: float = 1,
        max_features: int | None = None,
        max_length: int | None = None,
        truncate: str = "end",
        subword: tuple[int, int] | None = (3, 5),
        n_buckets: int = 65536,
        vectors: Any = None,
        trainable: bool = True,
        random_state: Any = None,
    ) -> None:
        self.dim = dim
        self.analyzer = analyzer
        self.tokenizer = tokenizer
        self.lowercase = lowercase
        self.token_pattern = token_pattern
        self.stop_words = stop_words
        self.min_df = min_df
        self.max_features = max_features
        self.max_length = max_length
        self.truncate = truncate
        self.subword = subword
        self.n_buckets = n_buckets
        self.vectors = vectors
        self.trainable = trainable
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> TokenEmbedder:
        """Learn the vocabulary and make the first vectors.

        Parameters
        ----------
        X : iterable of n_documents str, or lists or tuples of tokens
            The documents: a list, Series or 1-D array.
        y : None
            Ignored.

        Returns
        -------
        self : TokenEmbedder
            The fitted transformer.

        Warns
        -----
        UserWarning
            If no token has a vector in `vectors`, or if `tokenizer`, `stop_words` or `analyzer` are not used.
        """
        self._learn(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> EmbeddedTokens:
        """Fit, and return the same documents as sequences; each text is cut into tokens once.

        Parameters
        ----------
        X : iterable of n_documents str, or lists or tuples of tokens
            The documents, as in `fit`.
        y : None
            Ignored.

        Returns
        -------
        sequences : EmbeddedTokens of shape (n_documents, n_steps, dim)
            As `transform` gives it.
        """
        return self._embed(self._learn(X))

    def transform(self, X: Any) -> EmbeddedTokens:
        """Return documents as sequences of vectors.

        Parameters
        ----------
        X : iterable of n_documents str, or lists or tuples of tokens
            The documents, of the same kind of token as in `fit`.

        Returns
        -------
        sequences : EmbeddedTokens of shape (n_documents, n_steps, dim)
            The lazy array; `n_steps` is the length of the longest of these documents.

        Raises
        ------
        NotFittedError
            If `fit` was not called before.

        Warns
        -----
        UserWarning
            If `fit` saw lists of tokens and these are texts, or the other way round.
        """
        check_is_fitted(self)
        tokens = self._read(X)
        if None not in (tokens.of_texts, self._of_texts) and tokens.of_texts != self._of_texts:
            kinds = ("lists of tokens, which are taken as they are", "texts, which are cut and lowercased")
            seen, given = kinds if tokens.of_texts else kinds[::-1]
            warnings.warn(
                f"`fit` saw {seen}, and X holds {given}, so the same word may be another token. Pass documents in the "
                "form that `fit` had.",
                UserWarning,
                stacklevel=3,
            )
        return self._embed(tokens)

    def inverse_transform(self, X: Any) -> list[list[Any]]:
        """Return the tokens that sequences stand for.

        Parameters
        ----------
        X : EmbeddedTokens, or array-like of int of shape (n_documents, n_steps[, n_fields])
            What `transform` gave, or its `ids`, in which 0 is padding.

        Returns
        -------
        tokens : list of n_documents lists of str, or of tuples of str
            The tokens; ``"<unk>"`` where a token is unknown. An empty document is an empty list again, from
            `EmbeddedTokens`; its ids say that it has one unknown token.

        Raises
        ------
        ValueError
            If X is from another embedder, or has ids that are not in the vocabulary: words past it are named in
            `EmbeddedTokens` only.
        """
        check_is_fitted(self)
        names = [list(vocabulary) for vocabulary in self._vocabularies()]
        if isinstance(X, EmbeddedTokens):
            if X.fingerprint != self._fingerprint:
                raise ValueError("X must be made by this embedder, as fitted now, got the tokens of another one.")
            names[0] += X.unseen
            X = np.where(X.empty[:, None, None], PADDING, X.ids.reshape(*X.shape[:2], X.n_fields))
        ids = self._check_ids(X, [len(of_field) for of_field in names])
        is_token = ids[:, :, 0] != PADDING  # (n_documents, n_steps)
        by_field = [np.array(of_field, dtype=object)[ids[is_token][:, k]] for k, of_field in enumerate(names)]
        tokens = by_field[0].tolist() if self._n_fields is None else list(zip(*by_field, strict=True))
        ends = np.cumsum(is_token.sum(axis=1))
        return [tokens[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]

    def set_output(self, *, transform: str | None = None) -> TokenEmbedder:
        """Do nothing: sequences of three axes stay what they are.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            The container of tables; not used.

        Returns
        -------
        self : TokenEmbedder
            The transformer.
        """
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _vocabularies(self) -> list[dict[str, int]]:
        return self.vocabulary_ if isinstance(self.vocabulary_, list) else [self.vocabulary_]

    def _tables(self) -> list[np.ndarray]:
        return self.table_ if isinstance(self.table_, list) else [self.table_]

    def _read(self, X: Any) -> Tokens:
        vectorizer = CountVectorizer(
            analyzer=self.analyzer,
            tokenizer=_as_callable(self.tokenizer),
            lowercase=self.lowercase,
            token_pattern=self.token_pattern,
            stop_words=self.stop_words,
        )
        return read_tokens(X, vectorizer.build_analyzer(), self.max_length, keep_end=self.truncate == "start")

    def _learn(self, X: Any) -> Tokens:
        """Fit on documents, and return their tokens."""
        check_text_parameters(self)
        tokens = self._read(X)
        if not tokens.distinct:
            raise ValueError(f"X must have a token in some document, got none in all {len(tokens.lengths)} of them.")
        dims = check_dims(self.dim, tokens.n_fields)
        vocabularies = self._learn_vocabularies(tokens)
        rng = self._generator()
        tables = [_random_rows(rng, len(v), dim, TABLE_NORM) for v, dim in zip(vocabularies, dims, strict=True)]
        for table in tables:
            table[PADDING] = 0.0
        subwords = None
        if self.subword is not None:
            words, _ = tokens.fields()[0]
            rare = [words[i] for i in not_in(vocabularies[0], words)]
            subwords = Subwords(self.subword, self.n_buckets, list(vocabularies[0]), rare, UNKNOWN + 1)
        n_used = 0 if subwords is None else len(subwords.used)
        bucket_table = _random_rows(rng, n_used, dims[0], BUCKET_NORM) if n_used else None
        n_found = 0
        if self.vectors is not None:
            rows, found = self._find_vectors(vocabularies[0], tokens, dims[0], rng)
            tables[0][found] = rows[found]
            n_found = int(found[UNKNOWN + 1 :].sum())
            if bucket_table is not None:
                bucket_table[:] = 0.0
        self._warn_of_idle_parameters(tokens)
        self._of_texts = tokens.of_texts
        several = tokens.n_fields is not None
        self.vocabulary_: Any = vocabularies if several else vocabularies[0]
        self.table_: Any = tables if several else tables[0]
        self.bucket_table_ = bucket_table
        self.n_vectors_found_ = n_found
        self._n_fields = tokens.n_fields
        self._subwords = subwords if n_used else None
        self._fingerprint = _fingerprint(vocabularies, dims, self._subwords)
        return tokens

    def _warn_of_idle_parameters(self, tokens: Tokens) -> None:
        """Say so where documents are lists of tokens, which what makes tokens of texts does not touch."""
        idle = {"tokenizer": self.tokenizer, "stop_words": self.stop_words}
        names = [f"{name}={value!r}" for name, value in idle.items() if value is not None]
        names += [] if self.analyzer == "word" else [f"analyzer={self.analyzer!r}"]
        if names and tokens.n_texts == 0:
            warnings.warn(
                f"{' and '.join(names)} does nothing to lists of tokens, which are taken as they are. Pass texts.",
                UserWarning,
                stacklevel=4,
            )

    def _learn_vocabularies(self, tokens: Tokens) -> list[dict[str, int]]:
        limits: dict[str, Any] = {"min_df": self.min_df, "max_features": self.max_features}
        vocabularies = [learn_vocabulary(words, codes, tokens.lengths, **limits) for words, codes in tokens.fields()]
        if min(map(len, vocabularies)) == UNKNOWN + 1:
            raise ValueError(
                f"No token is left: none occurs in at least `min_df`={self.min_df} of the {len(tokens.lengths)} "
                "documents. Take a smaller `min_df`."
            )
        return vocabularies

    def _generator(self) -> np.random.Generator:
        if self.random_state is None:  # not numpy's global generator, which stays untouched
            return np.random.default_rng()
        return np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))

    def _find_vectors(
        self, vocabulary: dict[str, int], tokens: Tokens, dim: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows (n_vocab, dim) of the first field's table, and which of them are from `vectors`."""
        if isinstance(self.vectors, str) and self.vectors == "svd":
            words, codes = tokens.fields()[0]
            ids = look_up(vocabulary, words)[codes]
            rows, found = svd_vectors(ids, tokens.lengths, len(vocabulary), dim, int(rng.integers(2**31 - 1)))
            rows *= TABLE_NORM / np.sqrt(dim)
            why = "no document has two tokens of the vocabulary near each other"
        else:
            rows, found = find_vectors(self.vectors, list(vocabulary), dim)
            found[PADDING] = False
            why = "are they of another language, or keyed in another way?"
        if not found[UNKNOWN + 1 :].any():
            warnings.warn(
                f"`vectors` gives a vector for none of the {len(vocabulary) - 2} tokens of the vocabulary, such as "
                f"{reprlib.repr(list(vocabulary)[2])}; all stay random: {why}",
                UserWarning,
                stacklevel=4,
            )
        return rows, found

    def _embed(self, tokens: Tokens) -> EmbeddedTokens:
        """Return documents as ids and tables."""
        vocabularies = self._vocabularies()
        flat = np.empty((len(tokens.codes), len(vocabularies)), dtype=np.int32)
        unseen: list[str] = []
        starts = buckets = None
        if self._subwords is not None:
            starts, buckets = self._subwords.starts, self._subwords.buckets
        if tokens.distinct:
            self._check_kind(tokens)
            for field, (words, codes) in enumerate(tokens.fields()):
                ids = look_up(vocabularies[field], words)
                if field == 0 and self._subwords is not None:
                    past = not_in(vocabularies[0], words)
                    has_bucket, starts, buckets = self._subwords.with_unseen([words[i] for i in past])
                    past = past[has_bucket]
                    ids[past] = len(vocabularies[0]) + np.arange(len(past))
                    unseen = [words[i] for i in past]
                flat[:, field] = ids[codes]
        empty = tokens.lengths == 0
        lengths = np.maximum(tokens.lengths, 1)
        flat_ids = np.full((lengths.sum(), flat.shape[1]), UNKNOWN, dtype=np.int32)
        flat_ids[np.repeat(~empty, lengths)] = flat
        return EmbeddedTokens(
            flat_ids,
            np.cumsum(lengths) - lengths,
            lengths,
            self._tables(),
            empty=empty,
            truncated=tokens.truncated,
            bucket_table=self.bucket_table_,
            bucket_starts=starts,
            buckets=buckets,
            unseen=unseen,
            trainable=self.trainable,
            fingerprint=self._fingerprint,
        )

    def _check_kind(self, tokens: Tokens) -> None:
        if tokens.n_fields != self._n_fields:
            kinds = ["str" if n is None else f"tuples of {n} str" for n in (self._n_fields, tokens.n_fields)]
            raise ValueError(f"Tokens must be {kinds[0]}, as in `fit`, got {kinds[1]}.")

    def _check_ids(self, X: Any, sizes: list[int]) -> np.ndarray:
        """Return ids (n_documents, n_steps, n_fields), all of them in the vocabularies of these sizes."""
        ids = np.asarray(X)
        if ids.ndim == 2 and len(sizes) == 1:
            ids = ids[:, :, None]
        if ids.ndim != 3 or ids.shape[2] != len(sizes) or ids.dtype.kind not in "iu":
            last = "" if len(sizes) == 1 else f", {len(sizes)}"
            raise ValueError(
                f"X must be EmbeddedTokens or an int array of ids of shape (n_documents, n_steps{last}), got shape "
                f"{np.shape(X)} and dtype {ids.dtype}."
            )
        if ids.size and (ids.min() < 0 or (ids >= sizes).any()):
            raise ValueError(
                f"Ids must be from 0 to {[size - 1 for size in sizes]}, got ids from {ids.min()} to {ids.max()}: words "
                "past the vocabulary are named in EmbeddedTokens only, so pass what `transform` gave."
            )
        return ids


def _as_callable(tokenizer: Any) -> Any:
    """Return what cuts a text into tokens: the tokenizer, or its ``encode`` where it is not callable."""
    if callable(tokenizer) or not hasattr(tokenizer, "encode"):
        return tokenizer
    return partial(_encoded_tokens, tokenizer)


def _encoded_tokens(tokenizer: Any, text: str) -> list[str]:
    return tokenizer.encode(text).tokens


def _random_rows(rng: np.random.Generator, n_rows: int, dim: int, norm: float) -> np.ndarray:
    """Return random vectors (n_rows, dim) of about this length."""
    return rng.standard_normal((n_rows, dim), dtype=np.float32) * np.float32(norm / np.sqrt(dim))


def _fingerprint(vocabularies: Sequence[dict[str, int]], dims: list[int], subwords: Subwords | None) -> str:
    """Name what ids and rows of buckets mean."""
    settings = None if subwords is None else (tuple(subwords.subword), subwords.n_buckets, subwords.used.tolist())
    meaning = repr((dims, [list(words) for words in vocabularies], settings))
    return hashlib.blake2b(meaning.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
