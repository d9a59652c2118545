"""SequenceTagger: a label for each step of a sequence."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.special import softmax

from skrnn._class_targets import check_known_labels, class_columns, encode, find_classes, is_unknown
from skrnn._classification import ClassificationEstimator
from skrnn._parameters import check_bool
from skrnn._prediction import best_paths, economical_order, in_batches, path_marginals
from skrnn._tag_targets import check_whole, in_lists, joined_tags, tag_block, tag_counts
from skrnn._targets import Targets
from skrnn._validation import Sequences
from skrnn.metrics import token_accuracy
from skrnn.nn._class_losses import SoftmaxLoss
from skrnn.nn._models import SequenceModel
from skrnn.nn._tagging import CRFLoss


class SequenceTagger(ClassificationEstimator):
    """Recurrent network that reads a sequence and labels each of its steps.

    For words (parts of speech, names, phrases) behind `TokenEmbedder`, and for any other sequences of unequal length
    with a label at each step.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn", "rnn_relu"}, default="lstm"
        Long short-term memory (Hochreiter and Schmidhuber 1997), gated recurrent unit (Cho et al. 2014), or the
        plain recurrence with tanh (Elman 1990) or ReLU (Le et al. 2015); the equations are those of `torch.nn`.
    hidden_size : int, default=32
        Values in the state of each layer and direction.
    n_layers : int, default=1
        Recurrent layers, each reading the outputs of the one below.
    bidirectional : bool, default=False
        Read each sequence in both directions, so that a step is judged by what comes after it, too.
    dropout : float, default=0.0
        Share of values dropped between layers in training. Needs two layers or more.
    input_dropout : float, default=0.0
        Share of the values of X set to zero (their mean, after standardisation) in training.
    conv_channels : int or None, default=None
        Filters of a causal convolution over the steps, with ReLU, in front of the recurrent layers. Each filter sees
        a step and the four before it; ``net_params={"module__conv_kernel_size": 3}`` changes that.
    layer_norm : bool, default=False
        Normalise the outputs of each step, in front of the linear head.
    n_channels : int or None, default=None
        For 2-D X: how many channels stand side by side in the columns (oldest step first, channels fastest). None
        means 1.
    standardize : bool, default=True
        Standardise each channel of X over its valid steps, with the statistics of the training rows. No scaler is
        needed before this estimator. Tokens (`EmbeddedTokens`) are never standardised.
    window_scaling : {"auto", "last", "standard", "last_standard"} or None, default="auto"
        What is done to each channel of a sequence by its own values: "last" takes off its last value, "standard" takes
        off its mean and divides by its standard deviation, "last_standard" takes off the last value and divides by
        the standard deviation. "auto" is None: the level of a channel often tells classes apart.
    crf : bool, default=False
        Judge the tags of a sequence together, by a linear-chain conditional random field over the scores of the net
        (Lafferty et al. 2001, Lample et al. 2016): how well a tag follows another is learned, and `predict` gives the
        best path (Viterbi). For tags that mark spans (B-, I-, O).
    class_weight : dict, "balanced" or None, default=None
        What an error at a token of each class weighs, times the `sample_weight` of its sentence. "balanced" is
        ``n / (n_classes * n_of_class)``, tokens counted by their weights.
    label_smoothing : float, default=0.0
        The share of each label that is spread evenly over all classes (Szegedy et al. 2016). Not with `crf`.
    optimizer : {"adam", "adamw", "sgd", "rmsprop"} or torch optimizer class, default="adam"
        Further arguments go into `net_params`, for example ``{"optimizer__momentum": 0.9}``.
    lr : float, default=0.01
        Learning rate; the highest one where there is a schedule.
    weight_decay : float, default=0.0
        Passed to the optimizer (an L2 penalty; decoupled for "adamw").
    lr_schedule : {"cosine", "onecycle", "warmup_cosine", "plateau"} or None, default="cosine"
        "cosine" anneals to 0 over the whole training, "onecycle" warms up over 30 % of it and anneals,
        "warmup_cosine" rises in a straight line over 10 % of it and anneals, all batch by batch; "plateau" halves
        the rate after 5 epochs without a better validation loss.
    gradient_clip : float or None, default=1.0
        Largest joint norm of the gradients.
    batch_size : int or "auto", default="auto"
        Rows for each update. "auto": all rows up to 32, then ``n // 16`` between 16 and 128, so that small sets get
        their updates. Where one batch holds all rows, ``dtype="auto"`` is float64, unless ``kernel="fused"``.
    shuffle : bool, default=True
        Draw a new order of the rows in each epoch.
    max_epochs : int, default=100
        Passes over the training rows.
    max_steps : int or None, default=None
        A budget of batches; training ends when it is used up, or after `max_epochs`.
    early_stopping : bool or "auto", default="auto"
        Hold some rows out, judge each epoch by them and keep the weights of the best. "auto": from 500 training rows
        with a known target on. With a cosine, warmup-cosine or one-cycle schedule all epochs run (stopping would come
        before the rate is annealed); else training stops after `n_iter_no_change` epochs without a better one.
    validation : {"auto", "tail", "shuffle"}, float or splitter, default="auto"
        What is held out: "tail" is the last tenth of each series, "shuffle" a random tenth of the sentences; a number
        replaces the tenth; of a splitter the first split is taken. "auto" is "tail" for windows of a series, else
        "shuffle". "shuffle" of overlapping windows is refused.
    n_iter_no_change : int, default=10
        See `early_stopping`.
    validate_every : int or None, default=None
        Batches between two validations, instead of a whole epoch: then every number of epochs without a better one
        counts validations, and `history_` has a row for each.
    n_nets : int, default=1
        Train so many nets from different seeds and predict the mean of their probabilities (with `crf` the best path
        by the mean of their scores; a deep ensemble, Lakshminarayanan et al. 2017).
    warm_start : bool, default=False
        Begin with the weights (and the standardisation) of the former fit.
    kernel : {"auto", "torch", "fused"}, default="auto"
        What runs the recurrent layers. "fused": kernels that numba (``pip install "skrnn[fast]"``, from a checkout
        ``pip install -e ".[fast]"``) compiles for this machine, for float32 on the CPU, which ``dtype="auto"`` is then;
        an error without numba, also on a GPU. "auto": the same where they can run. Where they cannot (no numba,
        float64, a GPU), rnn and gru run on the CPU in skrnn's own loops of torch operations, and an LSTM, or any cell
        on a GPU, in torch's layers. "torch" always takes torch's layers, the reference, and so does
        ``net_params={"compile": True}``, which compiles them. On the same weights all agree within rounding, in
        float32 to about six digits; in training the difference grows, as that of any rounding does. Read when nets
        are made: set after `fit`, it changes no prediction. The first use on a machine compiles for about half a
        minute, which is announced on stderr; the result is kept on disk. Workers of `n_jobs` that find none there
        compile one each, so fit once with "fused" before.
    n_threads : int or None, default=None
        CPU threads of one fit or prediction, at most: an int of at least 1 (not -1, as `n_jobs` may be), or None: one
        in a worker of joblib, loky or dask, else as many as torch may use (``torch.get_num_threads()``, which
        OMP_NUM_THREADS decides). Set after `fit`, it counts for predictions. The compiled kernels take a second
        where a batch holds enough work; where torch runs the layers, batches of fewer than 4096 hidden values (rows
        times `hidden_size`) have one unless an int is given. A forked process has one in any case, since torch would
        wait for threads that did not outlive the fork.
    amp : {"bf16"} or None, default=None
        "bf16" computes in bfloat16 what is safe to on a GPU (`torch.autocast`), which saves time and memory; weights
        and loss stay float32. Predictions then have two or three digits. With ``device="cpu"`` it is an error; with
        float64, and where ``device="auto"`` finds no GPU, a warning says that it does nothing.
    device : {"cpu", "cuda", "auto"}, default="cpu"
        Where the net runs; "auto" takes a GPU where there is one. "cuda:1" and so on name one of several; other
        devices, such as "mps", are not supported. The compiled kernels run on the CPU only.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Precision. "auto" is float64 when the device is the CPU, one batch holds all training rows (small sets, or
        `batch_size` as large) and `kernel` is not "fused", else float32. In float64 the compiled kernels do not run.
    random_state : int, RandomState or None, default=None
        Decides everything that is random, on the CPU bit for bit: with the compiled kernels for any number of threads
        and any `n_jobs`, where torch runs the layers for the same number of threads (one for small batches and in
        workers). The global generators of numpy and torch are neither read nor changed.
    verbose : int, default=0
        1 shows a progress bar: epoch, loss, validation loss, time left; and says before it on stderr why the compiled
        kernels do not run, where `kernel` would have them.
    net_params : dict or None, default=None
        Everything else of skorch and torch by skorch's names: ``optimizer__...``, ``callbacks``,
        ``callbacks__...``, ``iterator_train__...``, ``module__...``, ``compile``. Such names are parameters of this
        estimator too, so that ``GridSearchCV(est, {"optimizer__betas": [...]})`` works. Callbacks see the net and not
        this estimator: standardised targets, or numbers of classes (n_samples, 1) and logits. So skorch's
        ``EpochScoring("accuracy")`` fails, and "neg_mean_absolute_error" has no units. History has the error already:
        ``EarlyStopping(monitor="valid_accuracy", lower_is_better=False)``, ``monitor="valid_mae"``. A score of your own
        is ``EpochScoring(function)``; ``function(net, X, y)`` compares ``net.predict(X)``, what the net gives, with y.

    Attributes
    ----------
    classes_ : ndarray
        The tags in ascending order.
    net_ : skorch.NeuralNet
        The trained net; its `module_`, `history` and callbacks are there to be used.
    nets_ : list of skorch.NeuralNet
        All `n_nets` of them; `net_` is the first.
    history_ : DataFrame
        A row for each epoch: ``epoch``, ``train_loss`` (of a token), ``train_accuracy`` (tokens counted by their
        weights), ``seconds``, ``lr`` (at the epoch's end), and ``valid_loss``, ``valid_accuracy`` where there is a
        validation part. Of several nets all rows, with ``net`` in front; with `validate_every` ``epoch`` is a fraction.
    n_iter_ : int
        Epochs that were run; of several nets the most.
    skill_ : float
        1 - error rate / error rate of always the most frequent tag, over the tokens of the validation sentences: 0 is
        no better, 1 is perfect. NaN without validation.
    n_channels_ : int
        Channels of X (the third axis).
    n_features_in_ : int
        `n_channels_` for 3-D and ragged X, the number of columns for 2-D X.
    feature_names_in_ : ndarray of str
        Names of the channels (or columns), where X had any.
    device_ : str
        Where the net ran.
    dtype_ : numpy dtype
        The precision it ran in.

    See Also
    --------
    TokenEmbedder : Makes sequences of sentences.
    RNNClassifier : One label for a whole sequence.
    skrnn.metrics.span_f1, skrnn.metrics.span_scores : What counts where tags mark spans.

    Notes
    -----
    *What X may be.* Tokens from `TokenEmbedder` (not cut by `max_length`), whose vectors are trained along on a copy; a
    list of arrays ``(n_steps_i, n_channels)``; or 3-D ``(n_samples, n_steps, n_channels)`` with NaN as padding.

    *What y may be.* A list (or object array, or Series) that holds for each sentence a list of tags, one for each of
    its tokens; None or NaN where a tag is unknown, which trains nothing (a CRF sums over it). An empty sentence has
    an empty list.

    *Cross-validation.* scikit-learn refuses a y of lists from classifiers, so this is not one (`is_classifier` is
    False): `cross_val_score`, `GridSearchCV` and `cross_val_predict` work, with KFold for ``cv=5``. For scores other
    than `score` pass ``skrnn.metrics.span_f1_scorer`` or ``token_accuracy_scorer``; scikit-learn's own ("accuracy"
    and so on) take no lists, and give NaN. (`cross_val_predict` with
    ``method="predict_proba"`` sorts y as labels, which lists are not.)

    *Class weights with a CRF* multiply the logarithm of each tag's probability given the tags before it, so equal
    weights change nothing but the size of the loss.

    *Length buckets.* Sentences are batched with others of about their length; see `RNNClassifier`.

    *A validation set of your own* inside a Pipeline needs scikit-learn's metadata routing: see `RNNRegressor`.

    References
    ----------
    Lafferty, McCallum and Pereira, Conditional Random Fields, ICML 2001.
    Huang, Xu and Yu, Bidirectional LSTM-CRF Models for Sequence Tagging, 2015, arXiv:1508.01991.
    Lample et al., Neural Architectures for Named Entity Recognition, NAACL 2016, arXiv:1603.01360.
    Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016.
    Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles, NeurIPS 2017.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrnn import SequenceTagger, TokenEmbedder
    >>> sentences = [["the", "dog", "runs"], ["a", "cat", "sleeps"], ["dogs", "run"], ["the", "cat", "runs"]] * 8
    >>> tags = [["DET", "NOUN", "VERB"], ["DET", "NOUN", "VERB"], ["NOUN", "VERB"], ["DET", "NOUN", "VERB"]] * 8
    >>> tagger = make_pipeline(
    ...     TokenEmbedder(dim=8, random_state=0), SequenceTagger(hidden_size=8, bidirectional=True, random_state=0)
    ... )
    >>> tagger.fit(sentences, tags).predict([["a", "dog", "sleeps"], ["cats", "sleep"]]).tolist()
    [['DET', 'NOUN', 'VERB'], ['NOUN', 'VERB']]
    """

    def __init__(
        self,
        cell: str = "lstm",
        *,
        hidden_size: int = 32,
        n_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        conv_channels: int | None = None,
        layer_norm: bool = False,
        n_channels: int | None = None,
        standardize: bool = True,
        window_scaling: str | None = "auto",
        crf: bool = False,
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        optimizer: Any = "adam",
        lr: float = 0.01,
        weight_decay: float = 0.0,
        lr_schedule: str | None = "cosine",
        gradient_clip: float | None = 1.0,
        batch_size: int | str = "auto",
        shuffle: bool = True,
        max_epochs: int = 100,
        max_steps: int | None = None,
        early_stopping: bool | str = "auto",
        validation: Any = "auto",
        n_iter_no_change: int = 10,
        validate_every: int | None = None,
        n_nets: int = 1,
        warm_start: bool = False,
        kernel: str = "auto",
        n_threads: int | None = None,
        amp: str | None = None,
        device: str = "cpu",
        dtype: Any = "auto",
        random_state: Any = None,
        verbose: int = 0,
        net_params: dict[str, Any] | None = None,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.conv_channels = conv_channels
        self.layer_norm = layer_norm
        self.n_channels = n_channels
        self.standardize = standardize
        self.window_scaling = window_scaling
        self.crf = crf
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.gradient_clip = gradient_clip
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.early_stopping = early_stopping
        self.validation = validation
        self.n_iter_no_change = n_iter_no_change
        self.validate_every = validate_every
        self.n_nets = n_nets
        self.warm_start = warm_start
        self.kernel = kernel
        self.n_threads = n_threads
        self.amp = amp
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose
        self.net_params = net_params

    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> SequenceTagger:
        """Train the net.

        Parameters
        ----------
        X : tokens, list of arrays, or array-like of shape (n_samples, n_steps, n_channels)
            See the notes of the class.
        y : list of lists of labels
            One for each token (step) of each sentence; None or NaN where unknown.
        sample_weight : array-like of shape (n_samples,), default=None
            Of sentences; not negative.
        X_val, y_val : like X and y, default=None
            Judge the epochs by these instead of sentences held out.

        Returns
        -------
        self : SequenceTagger

        Raises
        ------
        ValueError
            A parameter, X or y is not what it must be: a sentence with more or fewer tags than tokens, one that was
            cut, one tag only (before training starts; a former fit stays). Or the loss became NaN in the first epoch.

        Warns
        -----
        ConvergenceWarning
            The loss still fell at `max_epochs`, or became NaN.
        UserWarning
            A parameter was set that does nothing here.
        """
        with self._left_as_it_was():
            self.__dict__.pop("_declared_classes", None)  # of a former partial_fit
            self._train(X, y, sample_weight, X_val, y_val)
            self._report()
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> SequenceTagger:
        """Train for one pass over further sentences, going on with the weights and the state of the optimizer.

        The first call (of an estimator that is not fitted) fixes channels, tags, standardisation, precision and
        what ``class_weight="balanced"`` weighs. The learning rate is `lr`; schedule, validation, early stopping and
        `max_steps` do not apply.

        Parameters
        ----------
        X, y, sample_weight : as for `fit`
        classes : array-like of shape (n_classes,), default=None
            All tags that there will be; needed in the first call.

        Returns
        -------
        self : SequenceTagger

        Raises
        ------
        ValueError
            As in `fit`; also no `classes` in the first call, other ones later, or tags that are none of them.

        Warns
        -----
        ConvergenceWarning
            The loss became NaN; the weights before this call were kept.
        """
        with self._left_as_it_was():
            self._declare_classes(classes)
            self._train_further(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict a tag for each token.

        Parameters
        ----------
        X : like X in `fit`
            Sentences may be longer than any of `fit`.

        Returns
        -------
        ndarray of shape (n_samples,), object
            Holds a list of tags for each sentence, as long as the sentence: of a padded row without its padding, of
            an empty sentence an empty list.

        Raises
        ------
        ValueError
            A sentence was cut by ``TokenEmbedder(max_length=...)``.
        """
        sequences = self._checked_for_prediction(X)
        check_whole(sequences)
        return in_lists([self.classes_[codes].tolist() for codes in self._codes(sequences)])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each tag at each token.

        Parameters
        ----------
        X : like X in `fit`

        Returns
        -------
        ndarray of shape (n_samples,), object
            Holds for each sentence an array of shape (n_tokens_i, n_classes), in the order of `classes_`. With a CRF
            they are the marginals over all paths, whose likeliest tags need not form the best path.
        """
        sequences = self._checked_for_prediction(X)
        check_whole(sequences)
        return in_lists(self._by_sentence(self._probabilities, sequences))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of tokens whose tag is right, over all sentences together.

        Parameters
        ----------
        X : like X in `fit`
        y : like y in `fit`
            Unknown tags are skipped.
        sample_weight : array-like of shape (n_samples,), default=None
            Of sentences.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            A sentence has more or fewer tags than tokens, or was cut.

        Warns
        -----
        UserWarning
            y holds tags that `fit` has not seen; they count as errors.
        """
        sequences = self._checked_for_prediction(X)
        check_whole(sequences)
        tags = joined_tags(y, sequences, "y", type(self).__name__)
        known = tags[~is_unknown(tags)]
        foreign = set(known) - set(self.classes_.tolist())
        if foreign:
            count = sum(tag in foreign for tag in known)
            shown = sorted(foreign, key=str)[:5]
            warnings.warn(
                f"y holds tags that `fit` has not seen, {shown}: {count} of {len(known)} tokens, which count as "
                "errors.",
                UserWarning,
                stacklevel=2,
            )
        truth = np.split(tags, np.cumsum(tag_counts(sequences))[:-1])
        return token_accuracy(truth, self.predict(X), sample_weight=sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.one_d_labels = False
        return tags

    # -- from nets to tags -----------------------------------------------------------------------------------------

    def _scores(self, sequences: Sequences, order: np.ndarray) -> list[list[np.ndarray]]:
        """Scores of each net for each batch of sentences in `order`, (batch, steps, n_tags)."""
        return [self._run(net, sequences, net.module_.outputs, [order]) for net in self.nets_]

    def _probabilities(self, sequences: Sequences, order: np.ndarray) -> list[np.ndarray]:
        """For each batch of sentences in `order`, (batch, steps, n_tags)."""
        of_nets = zip(*self._scores(sequences, order), strict=True)
        if not self._has_crf:
            return [np.mean([softmax(scores, axis=-1) for scores in parts], axis=0) for parts in of_nets]
        means = [np.mean(parts, axis=0) for parts in of_nets]
        return path_marginals(means, in_batches(sequences.lengths[order], means), self._fields())

    def _tag_numbers(self, sequences: Sequences, order: np.ndarray) -> list[np.ndarray]:
        """For each batch of sentences in `order`, (batch, steps)."""
        if not self._has_crf:
            return [part.argmax(axis=-1) for part in self._probabilities(sequences, order)]
        means = [np.mean(parts, axis=0) for parts in zip(*self._scores(sequences, order), strict=True)]
        return best_paths(means, in_batches(sequences.lengths[order], means), self._fields())

    def _fields(self) -> list[Any]:
        return [net.module_.crf for net in self.nets_]

    def _by_sentence(self, function: Any, sequences: Sequences) -> list[np.ndarray]:
        """What `function(sequences, order)` gives in batches, sentence by sentence and without padding."""
        order, counts = economical_order(sequences), tag_counts(sequences)
        rows = (row for part in function(sequences, order) for row in part)
        found = {i: row[: counts[i]] for i, row in zip(order.tolist(), rows, strict=True)}
        return [found[i] for i in range(len(order))]

    def _codes(self, sequences: Sequences) -> list[np.ndarray]:
        return self._by_sentence(self._tag_numbers, sequences)

    def _likeliest(self, sequences: Sequences) -> np.ndarray:
        return tag_block(np.concatenate(self._codes(sequences)), sequences)

    # -- what fit is given -----------------------------------------------------------------------------------------

    def _checked_targets(self, y: Any, sequences: Sequences, *, reset: bool, name: str) -> Targets:
        check_whole(sequences)
        tags = joined_tags(y, sequences, name, type(self).__name__)
        unknown = is_unknown(tags)
        check_known_labels(tags, unknown, may_be_unknown=True)
        if reset:
            declared = getattr(self, "_declared_classes", None)
            self.classes_ = find_classes(tags, unknown)[0] if declared is None else declared
        codes = np.full(len(tags), np.nan)
        codes[~unknown] = encode(tags[~unknown], self.classes_, name)
        return class_columns(tag_block(codes, sequences))

    # -- parameters ------------------------------------------------------------------------------------------------

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_bool("crf", self.crf)
        self._has_crf = bool(self.crf)

    def _idle_parameters(self) -> list[str]:
        if not (self.crf and self.label_smoothing):
            return []
        return [f"label_smoothing={self.label_smoothing} does nothing, since crf=True learns whole paths."]

    # -- the net ---------------------------------------------------------------------------------------------------

    def _module(self) -> tuple[type[SequenceModel], dict[str, Any]]:
        names = ("cell", "hidden_size", "n_layers", "bidirectional", "dropout", "input_dropout", "conv_channels")
        args = {name: getattr(self, name) for name in (*names, "layer_norm", "crf", "kernel")}
        return SequenceModel, {**args, "pooling": None}

    def _architecture(self) -> dict[str, Any]:
        return {"crf": self.crf, **super()._architecture()}  # a message names it rather than the loss that it means

    def _criterion(self) -> tuple[Any, dict[str, Any]]:
        return (CRFLoss, {}) if self.crf else (SoftmaxLoss, {"label_smoothing": self.label_smoothing})
