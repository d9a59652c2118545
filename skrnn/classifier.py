"""RNNClassifier: sequences to classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import log_expit, log_softmax, logsumexp
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from skrnn._class_targets import (
    as_labels,
    check_known_labels,
    class_columns,
    encode,
    find_classes,
    is_indicator,
    is_unknown,
    weights_of_classes,
)
from skrnn._classification import ClassificationEstimator
from skrnn._labelled import Labelled
from skrnn._targets import Targets
from skrnn._validation import Sequences
from skrnn.nn._class_losses import SigmoidLoss, SoftmaxLoss
from skrnn.nn._models import SequenceModel


class RNNClassifier(ClassifierMixin, ClassificationEstimator):
    """Recurrent network that reads a sequence and predicts its class, or which of several labels it has.

    Takes the place of LogisticRegression or a forest for sensor recordings and other sequences (3-D arrays, lists of
    unequal length), for texts (behind `TokenEmbedder`) and for windows of a series (behind
    `SlidingWindowTransformer`).

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
        Read each sequence in both directions; what is predicted from is the final state of each direction.
    dropout : float, default=0.0
        Share of values dropped between layers in training. Needs two layers or more.
    input_dropout : float, default=0.0
        Share of the values of X set to zero (their mean, after standardisation) in training.
    conv_channels : int or None, default=None
        Filters of a causal convolution over the steps, with ReLU, in front of the recurrent layers. Each filter sees
        a step and the four before it; ``net_params={"module__conv_kernel_size": 3}`` changes that.
    patch_size : int, default=1
        So many consecutive steps are embedded as one recurrent step (by a linear map to `hidden_size` and ReLU),
        which is faster by about that factor. The last patch ends on the last step.
    pooling : {"last", "mean", "max", "mean_max", "attention"}, default="mean_max"
        What is predicted from: the final state of each direction, the mean or the maximum of the outputs of all
        steps, both, or a mean weighted by learned scores (Yang et al. 2016). Padding does not count.
    layer_norm : bool, default=True
        Normalise what is predicted from, in front of the linear head.
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
    class_weight : dict, "balanced", list of dict or None, default=None
        What an error in each class weighs, times `sample_weight`. "balanced" is ``n / (n_classes * n_of_class)``, rows
        counted by their weights. For a multilabel y it is meant label by label: "balanced" gives presence and absence
        of each label the same total, and a list holds ``{0: ..., 1: ...}`` for each.
    label_smoothing : float, default=0.0
        The share of each label that is spread evenly over all classes (Szegedy et al. 2016), so that probabilities
        stay away from 0 and 1.
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
        What is held out: "tail" is the last tenth of each series, "shuffle" a random tenth with each class in its
        share; a number replaces the tenth; of a splitter the first split is taken. "auto" is "tail" for windows of a
        series, else "shuffle". "shuffle" of overlapping windows is refused.
    n_iter_no_change : int, default=10
        See `early_stopping`.
    validate_every : int or None, default=None
        Batches between two validations, instead of a whole epoch: then every number of epochs without a better one
        counts validations, and `history_` has a row for each.
    n_nets : int, default=1
        Train so many nets from different seeds and predict the mean of their probabilities (a deep ensemble,
        Lakshminarayanan et al. 2017).
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
        The classes in ascending order; for a multilabel y the numbers of its columns.
    net_ : skorch.NeuralNet
        The trained net; its `module_`, `history` and callbacks are there to be used.
    nets_ : list of skorch.NeuralNet
        All `n_nets` of them; `net_` is the first.
    history_ : DataFrame
        A row for each epoch: ``epoch``, ``train_loss``, ``train_accuracy``, ``seconds``, ``lr`` (at the epoch's end),
        and ``valid_loss``, ``valid_accuracy`` where there is a validation part; rows count by their weights, times
        those of their classes. Of several nets all rows, with ``net`` in front; with `validate_every` ``epoch`` is a
        fraction.
    n_iter_ : int
        Epochs that were run; of several nets the most.
    skill_ : float
        1 - error rate / error rate of always the most frequent class, over the validation rows: 0 is no better, 1 is
        perfect. NaN without validation.
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
    TokenEmbedder : Makes sequences of texts.
    SequenceTagger : A label for each step.
    SlidingWindowTransformer : Makes windows of a series.

    Notes
    -----
    *What X may be.* ``(n_samples, n_steps, n_channels)``; a list of arrays ``(n_steps_i, n_channels)`` or
    ``(n_steps_i,)``; tokens from `TokenEmbedder`, whose vectors are trained along (on a copy of its own); windows from
    `SlidingWindowTransformer`; or a 2-D table, whose columns are read as steps, oldest first. NaN is padding only in
    3-D and ragged X and only in leading or trailing steps in which every channel is NaN. Padding is masked exactly.

    *What y may be.* One label for each row, of any type that scikit-learn takes; or a multilabel indicator
    ``(n_samples, n_labels)`` of 0 and 1. Where X is windows of a series, None or NaN marks an unlabelled row: it does
    not train, but its X still is the history of others, and `score` leaves it out.

    *Which splitter.* For rows that have nothing to do with each other (texts, recordings of different people) the
    default of scikit-learn, stratified folds, is right; with several recordings of one person take ``GroupKFold``,
    so that nobody is in both parts. For windows of a series take ``TimeSeriesSplit``: windows that end a step apart
    share nearly all of their rows, so with KFold (or the default) each test window has its own neighbours in the
    training part, and labels that have nothing to do with X score well. For windows of a panel take ``GroupKFold``
    by series, or ``WindowedTimeSeriesSplit``. The same goes for ``CalibratedClassifierCV``, ``StackingClassifier``,
    ``TunedThresholdClassifierCV`` and ``cross_val_predict``: pass ``cv``. (``cross_val_predict`` and stacking need a
    test fold for every row, which ``TimeSeriesSplit`` has not: take ``GroupKFold`` over stretches of time.)

    *Two classes* have a score each, as more classes do. `decision_function` is the logarithm of the odds then.

    *Length buckets.* Sequences of unequal length (but not windows) are batched with others of about their length, so
    that little is computed on padding. What a row is predicted does not depend on its batch.
    ``net_params={"iterator_train__by_length": False}`` draws batches at random.

    *Sensors that are worn differently.* ``net_params={"module__input_shift": 0.2}`` moves, in training, each channel of
    each sequence by one random number (normal, with that standard deviation, where channels have 1), so that the level
    of a channel is not learned too closely.

    *Initial weights* are Keras's: recurrent weights orthogonal, input weights Glorot uniform, forget-gate bias 1.

    *Weighted rows.* Weights equal repetitions exactly when one batch holds all rows (up to 32 with "auto") in float64;
    else they do so on average. A row of weight 0 does not train.

    *Kept weights.* With a validation part, an exponential moving average of the weights over about the last 30
    updates is judged after each epoch by its loss, and the best one is kept.

    *A validation set of your own* inside a Pipeline needs scikit-learn's metadata routing: see `RNNRegressor`.

    References
    ----------
    Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997.
    Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, arXiv:1406.1078.
    Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016.
    Le et al., A Simple Way to Initialize Recurrent Networks of Rectified Linear Units, 2015, arXiv:1504.00941.
    Yang et al., Hierarchical Attention Networks for Document Classification, NAACL 2016.
    Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles, NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skrnn import RNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n_steps, 2)) for n_steps in rng.integers(3, 9, size=120)]
    >>> y = np.where([sequence[:, 0].sum() > 0 for sequence in X], "up", "down")
    >>> net = RNNClassifier("gru", hidden_size=8, max_epochs=40, random_state=0).fit(X[:80], y[:80])
    >>> net.classes_.tolist(), net.predict_proba(X[80:]).shape
    (['down', 'up'], (40, 2))
    >>> bool(net.score(X[80:], y[80:]) > 0.9)
    True

    Which of several labels a sequence has:

    >>> labels = np.array([[sequence[0, 0] > 0, sequence[-1, 1] > 0] for sequence in X]).astype(int)
    >>> net = RNNClassifier("gru", hidden_size=8, max_epochs=40, random_state=0).fit(X[:80], labels[:80])
    >>> net.predict(X[80:]).shape, net.predict_proba(X[80:]).shape
    ((40, 2), (40, 2))
    """

    _multilabel: bool  # as fitted: whether y was an indicator of several labels

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
        patch_size: int = 1,
        pooling: str = "mean_max",
        layer_norm: bool = True,
        n_channels: int | None = None,
        standardize: bool = True,
        window_scaling: str | None = "auto",
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
        self.patch_size = patch_size
        self.pooling = pooling
        self.layer_norm = layer_norm
        self.n_channels = n_channels
        self.standardize = standardize
        self.window_scaling = window_scaling
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> RNNClassifier:
        """Train the net.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, n_channels), list of arrays, tokens, windows, or 2-D table
            See the notes of the class.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels, or an indicator of 0 and 1; None or NaN where unknown (windows of a series only).
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative.
        X_val, y_val : like X and y, default=None
            Judge the epochs by these instead of rows held out.

        Returns
        -------
        self : RNNClassifier

        Raises
        ------
        ValueError
            A parameter, X or y is not what it must be, or y has one class only (before training starts; a former fit
            stays), or the loss became NaN in the first epoch.

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

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> RNNClassifier:
        """Train for one pass over further rows, going on with the weights and the state of the optimizer.

        The first call (of an estimator that is not fitted) fixes channels, classes, standardisation, precision and
        what ``class_weight="balanced"`` weighs, so let it have typical rows. The learning rate is `lr`; schedule,
        validation, early stopping and `max_steps` do not apply.

        Parameters
        ----------
        X, y, sample_weight : as for `fit`
        classes : array-like of shape (n_classes,), default=None
            All classes that there will be; needed in the first call, where y may lack some. For a multilabel y the
            numbers of its columns, or None.

        Returns
        -------
        self : RNNClassifier

        Raises
        ------
        ValueError
            As in `fit`; also no `classes` in the first call, other ones later, or labels that are none of them.

        Warns
        -----
        ConvergenceWarning
            The loss became NaN; the weights before this call were kept.

        Examples
        --------
        >>> import numpy as np
        >>> from skrnn import RNNClassifier
        >>> X = np.random.default_rng(0).normal(size=(90, 7, 2))
        >>> y = np.where(X[:, -1, 0] > 0, "up", "down")
        >>> net = RNNClassifier("gru", hidden_size=5, random_state=0)
        >>> for rows in np.split(np.arange(90), 3):
        ...     net = net.partial_fit(X[rows], y[rows], classes=["down", "up"])
        >>> len(net.history_)
        3
        """
        with self._left_as_it_was():
            self._declare_classes(classes, needed=not is_indicator(y))  # whose columns are the classes
            self._train_further(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict the likeliest class of each row, or which labels it has.

        Parameters
        ----------
        X : like X in `fit`
            Sequences may be longer or shorter than those of `fit`.

        Returns
        -------
        ndarray
            (n_samples,) labels, or an indicator (n_samples, n_labels) of 0 and 1: labels with a probability above a
            half.
        """
        codes = self._likeliest(self._checked_for_prediction(X))
        return codes.astype(np.int64) if self._multilabel else self.classes_[codes[:, 0].astype(np.int64)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class, the mean over the nets.

        Parameters
        ----------
        X : like X in `fit`

        Returns
        -------
        ndarray of float64, shape (n_samples, n_classes)
            In the order of `classes_`; of labels the probability of each, (n_samples, n_labels).
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict the logarithm of each probability; finite where the probability itself would round to 0.

        Parameters
        ----------
        X : like X in `fit`

        Returns
        -------
        ndarray of float64, shape (n_samples, n_classes) or (n_samples, n_labels)
        """
        log_proba = self._log_probabilities(self._checked_for_prediction(X))
        return log_proba[..., 1] if self._multilabel else log_proba

    def decision_function(self, X: Any) -> np.ndarray:
        """Return scores that grow with the probability of a class.

        Parameters
        ----------
        X : like X in `fit`

        Returns
        -------
        ndarray of float64
            Two classes: (n_samples,), the logarithm of the odds of ``classes_[1]``. More: (n_samples, n_classes), the
            logarithms of the probabilities. Labels: (n_samples, n_labels), the logarithm of the odds of each.
        """
        log_proba = self._log_probabilities(self._checked_for_prediction(X))
        if self._multilabel or len(self.classes_) == 2:
            return log_proba[..., 1] - log_proba[..., 0]
        return log_proba

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows whose label is right (of labels: all labels of the row).

        Parameters
        ----------
        X : like X in `fit`
        y : like y in `fit`
            Rows with an unknown label are left out. The scorers of scikit-learn (``scoring="accuracy"`` and so on)
            take no unknown labels.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        sequences = self._checked_for_prediction(X)
        labels = as_labels(y, len(sequences), type(self).__name__)
        unknown = is_unknown(labels)
        check_known_labels(labels, unknown, may_be_unknown=sequences.are_windows)
        if not unknown.any():
            return float(super().score(X, y, sample_weight))
        known = ~unknown if unknown.ndim == 1 else ~unknown.any(axis=1)
        truth = np.array(labels[known].tolist())  # labels were objects only because some were None
        weight = None if sample_weight is None else np.asarray(sample_weight)[known]
        return float(accuracy_score(truth, self.predict(X)[known], sample_weight=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # -- from nets to classes --------------------------------------------------------------------------------------

    def _log_probabilities(self, sequences: Sequences) -> np.ndarray:
        """(n_samples, n_classes); of labels (n_samples, n_labels, 2): absent, present."""
        of_nets = [self._outputs(net, sequences) for net in self.nets_]
        if self._multilabel:
            log_proba = [np.stack([log_expit(-scores), log_expit(scores)], axis=-1) for scores in of_nets]
        else:
            log_proba = [log_softmax(scores, axis=-1) for scores in of_nets]
        return log_proba[0] if len(log_proba) == 1 else logsumexp(log_proba, axis=0) - np.log(len(log_proba))

    def _likeliest(self, sequences: Sequences) -> np.ndarray:
        codes = self._log_probabilities(sequences).argmax(axis=-1)
        return codes if self._multilabel else codes[:, None]

    # -- what fit is given -----------------------------------------------------------------------------------------

    def _checked_targets(self, y: Any, sequences: Sequences, *, reset: bool, name: str) -> Targets:
        labels = as_labels(y, len(sequences), type(self).__name__)
        unknown = is_unknown(labels)
        check_known_labels(labels, unknown, may_be_unknown=sequences.are_windows)
        if reset:
            self._check_patch(sequences)
            goes_on = self.warm_start and hasattr(self, "nets_")
            former = (self.classes_, self._multilabel) if goes_on else None
            self.classes_, self._multilabel = find_classes(labels, unknown)
            declared = getattr(self, "_declared_classes", None)
            if declared is not None and not self._multilabel:
                self.classes_ = declared
            elif declared is not None and not np.array_equal(declared, self.classes_):
                raise ValueError(
                    f"classes={declared.tolist()} are not the numbers of the columns of y, whose shape is "
                    f"{labels.shape}. Leave `classes` out where y is a multilabel indicator."
                )
            if former is not None and (former[1] != self._multilabel or not np.array_equal(former[0], self.classes_)):
                raise ValueError(
                    "warm_start=True goes on with the net of the former fit, but the classes have changed from "
                    f"{former[0].tolist()[:20]} to {self.classes_.tolist()[:20]}"
                    f"{' (a multilabel y)' if self._multilabel else ''}. Set warm_start=False to begin anew."
                )
        elif self._multilabel != (labels.ndim == 2) or (self._multilabel and labels.shape[1] != len(self.classes_)):
            shape = f"(n_samples, {len(self.classes_)})" if self._multilabel else "(n_samples,)"
            raise ValueError(f"{name} has shape {labels.shape}, but y in `fit` had {shape}.")
        if self._multilabel:
            return class_columns(np.where(unknown, np.nan, labels).astype(np.float64), labels.shape[1:])
        values = np.full(len(labels), np.nan)
        values[~unknown] = encode(labels[~unknown], self.classes_, name)
        return class_columns(values[:, None])

    def _weights_of_classes(self, data: Labelled) -> np.ndarray | None:
        if not self._multilabel:
            return super()._weights_of_classes(data)
        values, n_labels = data.targets.values, len(self.classes_)
        if self.class_weight is None:
            return None
        given = [self.class_weight] * n_labels if isinstance(self.class_weight, str) else self.class_weight
        if isinstance(given, dict) or len(given) != n_labels:
            raise ValueError(
                f"For a multilabel y of {n_labels} labels `class_weight` must be 'balanced' or a list of {n_labels} "
                f"dicts such as {{0: 1.0, 1: 5.0}}, one for each label, got {self.class_weight!r}."
            )
        return np.array(
            [weights_of_classes(own, np.arange(2), values[:, j], data.weight) for j, own in enumerate(given)]
        )

    def _check_several_classes(self, data: Labelled) -> None:
        if not self._multilabel:  # a label that no row has is learned as never there
            super()._check_several_classes(data)

    def _classes_of_rows(self, data: Labelled) -> np.ndarray:
        values = data.targets.values
        if not self._multilabel:
            return values[:, 0]
        return np.unique(np.nan_to_num(values, nan=-1), axis=0, return_inverse=True)[1].reshape(-1)

    # -- the net ---------------------------------------------------------------------------------------------------

    def _module(self) -> tuple[type[SequenceModel], dict[str, Any]]:
        names = ("cell", "hidden_size", "n_layers", "bidirectional", "dropout", "input_dropout", "conv_channels")
        others = ("patch_size", "pooling", "layer_norm", "kernel")
        return SequenceModel, {name: getattr(self, name) for name in (*names, *others)}

    def _criterion(self) -> tuple[Any, dict[str, Any]]:
        return SigmoidLoss if self._multilabel else SoftmaxLoss, {"label_smoothing": self.label_smoothing}
