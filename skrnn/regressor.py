"""RNNRegressor: sequences to numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if

from skrnn._hyperparameters import (
    QUANTILES,
    check_loss,
    check_net_hyperparameters,
    check_quantiles,
    idle_quantiles,
    learns_quantiles,
)
from skrnn._parameters import check_int
from skrnn._regression import RegressionEstimator
from skrnn._step_targets import last_steps, step_targets
from skrnn._targets import Targets, copied_channel, explicit_targets, future_of_series, misread_series
from skrnn._validation import Sequences
from skrnn.nn._losses import LOSSES, central_quantile
from skrnn.nn._models import SequenceModel


def _has_quantiles(estimator: Any) -> bool:
    has = estimator._central is not None if hasattr(estimator, "nets_") else learns_quantiles(estimator.loss)
    if not has:
        raise AttributeError(f"predict_quantiles needs a fit with loss='quantile', got loss={estimator.loss!r}.")
    return True


class RNNRegressor(RegressionEstimator):
    """Recurrent network that reads a sequence and predicts one or more numbers.

    Takes the place of Ridge or a forest for time series (behind `SlidingWindowTransformer`) and for any other
    sequences: 3-D arrays, lists of unequal length, 2-D tables of lagged values.

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
    pooling : {"last", "mean", "max", "mean_max", "attention"}, default="last"
        What is predicted from: the final state of each direction, the mean or the maximum of the outputs of all
        steps, both, or a mean weighted by learned scores (Yang et al. 2016). Padding does not count.
    layer_norm : bool, default=False
        Normalise what is predicted from, in front of the linear head.
    return_sequences : bool, default=False
        Predict at each step instead of once: `y` is ``(n_samples, n_steps)`` or ``(n_samples, n_steps, n_outputs)``
        (for ragged X a list of such rows), `past_targets` builds it for windows, and `predict` returns the same.
    horizon : int or None, default=None
        None: `y` holds each row's targets. An int: `y` is the series itself, `X` its windows, and each row learns
        the next `horizon` values; `predict` then gives ``(n_samples, horizon)`` or
        ``(n_samples, horizon, n_outputs)``, for 1 too. Scorers of scikit-learn would compare ``y[t]`` with the
        forecast of ``y[t + 1]``: use `score` or those of `skrnn.metrics`. A window of one step makes it one to many.
    target_channels : int, str, list of these, or None, default=None
        The channels of X whose future y is, one or one for each output. None finds them by equality.
    n_channels : int or None, default=None
        For 2-D X: how many channels stand side by side in the columns (oldest step first, channels fastest). None
        means 1.
    standardize : bool, default=True
        Standardise each channel of X over its valid steps, and each output of y, with the statistics of the training
        rows. Done in float64 and undone in `predict`; no scaler is needed before this estimator.
    window_scaling : {"auto", "last", "first", "standard", "last_standard"} or None, default="auto"
        What is done to each window by its own values: "last" takes off its last value, "first" its first (and from
        the target of a step, with `return_sequences`, the value at that step), "standard" takes off its mean
        and divides by its standard deviation, "last_standard" takes off the last value and divides by the standard
        deviation. Applied to the target channels where there are any (other channels, such as a calendar or a price,
        keep their level), else to all. Undone in `predict`. "auto" is "last" when X is windows of two steps or more
        and y the future of a channel ("first" with `return_sequences`, where "last" would tell earlier steps of later
        ones), else None. Where the level itself matters and windows are short, None may be better.
    loss : {"squared_error", "absolute_error", "huber", "quantile"} or torch loss class, default="squared_error"
        What is minimised, in standardised units (so of targets around 0, also negative). "quantile" learns all of
        `quantiles` at once (pinball loss, Koenker and Bassett 1978). A class is called with ``reduction="none"`` and
        gives the loss of each element, smallest where prediction and target are equal; further arguments go into
        `net_params`, for example ``{"criterion__delta": 0.5}``.
    quantiles : sequence of float, default=(0.1, 0.5, 0.9)
        For ``loss="quantile"``: ascending, between 0 and 1. `predict` gives the one nearest to 0.5 and
        `predict_quantiles` all of them, never crossing. Of two that are as near `predict` gives the lower one.
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
        What is held out: "tail" is the last tenth of each series (without the ``horizon - 1`` rows before it, whose
        targets lie inside), "shuffle" a random tenth; a number replaces the tenth; of a splitter the first split is
        taken. "auto" is "tail" for windows of a series, else "shuffle". "shuffle" of overlapping windows is refused.
    n_iter_no_change : int, default=10
        See `early_stopping`.
    validate_every : int or None, default=None
        Batches between two validations, instead of a whole epoch: then every number of epochs without a better one
        counts validations, and `history_` has a row for each.
    n_nets : int, default=1
        Train so many nets from different seeds and predict their mean (a deep ensemble, Lakshminarayanan et al.
        2017); their spread comes with ``predict(X, return_std=True)``.
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
    net_ : skorch.NeuralNet
        The trained net; its `module_`, `history` and callbacks are there to be used.
    nets_ : list of skorch.NeuralNet
        All `n_nets` of them; `net_` is the first.
    history_ : DataFrame
        A row for each epoch: ``epoch``, ``train_loss``, ``train_mae`` (in the units of y), ``seconds``, ``lr`` (at the
        epoch's end), and ``valid_loss``, ``valid_mae`` where there is a validation part. Of several nets all rows,
        with ``net`` in front; with `validate_every` ``epoch`` is a fraction.
    n_iter_ : int
        Epochs that were run; of several nets the most.
    skill_ : float
        1 - MAE / MAE of a naive forecast over the validation rows: 0 is no better, 1 is perfect. The naive forecast
        is the last value where y is the future of a channel, else the mean of the training targets. NaN without
        validation.
    n_channels_ : int
        Channels of X (the third axis).
    n_features_in_ : int
        `n_channels_` for 3-D and ragged X, the number of columns for 2-D X.
    feature_names_in_ : ndarray of str
        Names of the channels (or columns), where X had any.
    target_channels_ : ndarray of int, or None
        The channel of X whose future each output is, -1 for none; None when no output is one.
    device_ : str
        Where the net ran.
    dtype_ : numpy dtype
        The precision it ran in.

    See Also
    --------
    SlidingWindowTransformer : Makes windows of a series.
    future_targets : Makes targets of a series.

    Notes
    -----
    *What X may be.* ``(n_samples, n_steps, n_channels)``; a list of arrays ``(n_steps_i, n_channels)`` or
    ``(n_steps_i,)``; windows from `SlidingWindowTransformer`; or a 2-D table, whose columns are read as steps, oldest
    first. NaN is padding only in 3-D and ragged X and only in leading or trailing steps in which every channel is
    NaN. Padding is masked exactly: a padded row gives what it gives alone.

    *What y may be.* ``(n_samples,)``, ``(n_samples, n_outputs)``, ``(n_samples, horizon)`` or
    ``(n_samples, horizon, n_outputs)``; with `return_sequences` one value or row of values for each step. NaN
    marks an unknown target: a row wholly NaN does not train (its X still serves as history), a partly known one
    trains on what is known, and `score` skips the unknown. Where y is the future of a channel of X, steps beyond the
    last row given to `fit` are treated as unknown, so that no target leaks over the border of a `TimeSeriesSplit`.

    *Initial weights* are Keras's: recurrent weights orthogonal, input weights Glorot uniform, forget-gate bias 1.

    *Weighted rows.* Weights equal repetitions exactly when one batch holds all rows (up to 32 with "auto") in float64;
    else they do so on average. A row of weight 0 does not train.

    *Kept weights.* With a validation part, an exponential moving average of the weights over about the last 30
    updates is judged after each epoch, and the best one is kept.

    *Ctrl-C* ends the training, sets the fitted attributes and is raised again. A loss that becomes NaN restores the
    last good weights with a ConvergenceWarning.

    *A validation set of your own* inside a Pipeline needs scikit-learn's metadata routing, so that the steps before
    transform it too::

        sklearn.set_config(enable_metadata_routing=True)
        windows = SlidingWindowTransformer(52)
        net = RNNRegressor(horizon=1).set_fit_request(X_val=True, y_val=True)
        pipe = Pipeline([("windows", windows), ("net", net)], transform_input=["X_val"])
        pipe.fit(X, y, X_val=X_later, y_val=y_later)

    References
    ----------
    Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997.
    Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, arXiv:1406.1078.
    Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear networks, arXiv:1312.6120.
    Jozefowicz et al., An Empirical Exploration of Recurrent Network Architectures, ICML 2015.
    Le et al., A Simple Way to Initialize Recurrent Networks of Rectified Linear Units, 2015, arXiv:1504.00941.
    Yang et al., Hierarchical Attention Networks for Document Classification, NAACL 2016.
    Koenker and Bassett, Regression Quantiles, Econometrica 46, 1978.
    Chernozhukov et al., Quantile and Probability Curves Without Crossing, Econometrica 78, 2010.
    Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles, NeurIPS 2017.
    Lin et al., SegRNN: Segment Recurrent Neural Network for Long-Term Time Series Forecasting, 2023, arXiv:2308.11200.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrnn import RNNRegressor, SlidingWindowTransformer
    >>> y = np.sin(np.arange(120) * 0.3)
    >>> net = RNNRegressor("gru", hidden_size=8, horizon=3, max_epochs=30, random_state=0)
    >>> pipe = make_pipeline(SlidingWindowTransformer(window=12), net).fit(y[:, None], y)
    >>> pipe.predict(y[:, None]).shape
    (120, 3)
    >>> bool(pipe.score(y[:, None], y) > 0.9)
    True

    A target for each step, and quantiles:

    >>> from skrnn import past_targets
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> windows = SlidingWindowTransformer(window=5).fit_transform(X)
    >>> totals = past_targets(X.sum(axis=1), window=5)
    >>> net = RNNRegressor("gru", hidden_size=8, return_sequences=True, random_state=0)
    >>> net.fit(windows, totals).predict(windows).shape
    (60, 5)
    >>> net = RNNRegressor("gru", hidden_size=8, loss="quantile", quantiles=(0.05, 0.5, 0.95), random_state=0)
    >>> net.fit(windows, X[:, 0] * X[:, 1]).predict_quantiles(windows).shape
    (60, 3)
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
        patch_size: int = 1,
        pooling: str = "last",
        layer_norm: bool = False,
        return_sequences: bool = False,
        horizon: int | None = None,
        target_channels: Any = None,
        n_channels: int | None = None,
        standardize: bool = True,
        window_scaling: str | None = "auto",
        loss: Any = "squared_error",
        quantiles: Any = QUANTILES,
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
        self.return_sequences = return_sequences
        self.horizon = horizon
        self.target_channels = target_channels
        self.n_channels = n_channels
        self.standardize = standardize
        self.window_scaling = window_scaling
        self.loss = loss
        self.quantiles = quantiles
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

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict one row of targets for each row of X.

        Parameters
        ----------
        X : like X in `fit`
            Sequences may be longer or shorter than those of `fit`.
        return_std : bool, default=False
            Also return how far the nets of an ensemble (`n_nets`) disagree.

        Returns
        -------
        prediction : ndarray of float64
            Of shape (n_samples,) and so on, as y was; with `horizon` set (n_samples, horizon[, n_outputs]), the
            forecast made at each row, so that the last row is the unknown future. With `return_sequences`
            (n_samples, n_steps[, n_outputs]), NaN at padding; for a ragged X an array of n_samples arrays.
            With ``loss="quantile"`` the quantile nearest to 0.5.
        std : ndarray of float64
            Only with ``return_std=True``: the standard deviation over the nets, of the same shape.

        Raises
        ------
        ValueError
            ``return_std=True`` with one net.
        """
        sequences = self._checked_for_prediction(X)
        if not return_std:
            return self._as_user_sees(self._point_forecast(self._raw_predict(sequences)), sequences)
        if len(self.nets_) < 2:
            raise ValueError(
                "return_std=True needs the spread of several nets, but one was trained. Fit with n_nets=5."
            )
        of_nets = [self._point_forecast(values) for values in self._predictions_of_nets(sequences)]
        return tuple(self._as_user_sees(moment(of_nets, axis=0), sequences) for moment in (np.mean, np.std))

    @available_if(_has_quantiles)
    def predict_quantiles(self, X: Any) -> np.ndarray:
        """Predict every one of `quantiles`, in ascending order; only with ``loss="quantile"``.

        Parameters
        ----------
        X : like X in `fit`

        Returns
        -------
        ndarray of float64
            The shape of `predict` and one more axis for the quantiles. They never cross.
        """
        sequences = self._checked_for_prediction(X)
        return self._as_user_sees(self._raw_predict(sequences), sequences)

    # -- what fit is given -----------------------------------------------------------------------------------------

    def _targets(self, y: np.ndarray, sequences: Sequences) -> Targets:
        named = self._resolve_channels("target_channels")
        if self.horizon is not None:
            targets = future_of_series(y, sequences, self.horizon, named)
            misread = misread_series(y, sequences)
            if misread is not None:
                warnings.warn(misread, UserWarning, stacklevel=6)
            return targets
        copied = copied_channel(last_steps(y, sequences) if self.return_sequences else y, sequences)
        if copied is not None:
            warnings.warn(
                f"y equals channel {copied} of X at the last step of each window, so the net can copy its input and "
                "learns no forecast. To forecast the next value set horizon=1 (y stays the series), or pass "
                "future_targets(y, 1) as y"
                + (" (here: past_targets(future_targets(y, 1), window))." if self.return_sequences else "."),
                UserWarning,
                stacklevel=6,
            )
        if not self.return_sequences:
            return explicit_targets(y, sequences, named)
        targets = step_targets(y, sequences, named)
        if targets.reach and (self.bidirectional or self.window_scaling not in ("auto", "first", None)):
            reason = "bidirectional=True" if self.bidirectional else f"window_scaling={self.window_scaling!r}"
            warnings.warn(
                f"y is the future of a channel of X, and {reason} lets each step but the last one see its own target "
                "later in the window, so the steps before the last learn to copy. Set bidirectional=False and "
                "window_scaling='auto', or return_sequences=False.",
                UserWarning,
                stacklevel=6,
            )
        return targets

    # -- parameters ------------------------------------------------------------------------------------------------

    def _idle_parameters(self) -> list[str]:
        messages = idle_quantiles(self.loss, self.quantiles)
        if self.return_sequences and self.pooling != "last":
            messages.append(
                f"pooling={self.pooling!r} does nothing, since return_sequences=True predicts from each step."
            )
        return messages

    def _check_parameters(self) -> None:
        """Raise ValueError for the first parameter that is not what it must be."""
        check_net_hyperparameters(self)
        check_loss(self.loss, tuple(LOSSES))
        quantiles = check_quantiles(self.quantiles) if learns_quantiles(self.loss) else None
        self._central = None if quantiles is None else central_quantile(quantiles)
        if self.horizon is not None:
            check_int("horizon", self.horizon, low=1)
            if self.return_sequences:
                raise ValueError(
                    f"horizon={self.horizon} forecasts once for each window, return_sequences=True at each step. "
                    f"Set horizon=None and pass past_targets(future_targets(y, {self.horizon}), window) as y, or set "
                    "return_sequences=False."
                )

    # -- the net ---------------------------------------------------------------------------------------------------

    def _module(self) -> tuple[type[SequenceModel], dict[str, Any]]:
        names = ("cell", "hidden_size", "n_layers", "bidirectional", "dropout", "input_dropout", "conv_channels")
        args = {name: getattr(self, name) for name in (*names, "patch_size", "layer_norm", "kernel")}
        n_quantiles = None if self._central is None else len(self.quantiles)
        pooling = None if self.return_sequences else self.pooling
        return SequenceModel, {**args, "pooling": pooling, "n_quantiles": n_quantiles}

    def _criterion(self) -> tuple[Any, dict[str, Any]]:
        if self._central is not None:
            return LOSSES["quantile"], {"quantiles": tuple(self.quantiles)}
        return self.loss if isinstance(self.loss, type) else LOSSES[self.loss], {}
