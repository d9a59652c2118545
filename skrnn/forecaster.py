"""Seq2SeqForecaster: a window in, many steps out."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if

from skrnn._distributions import Distribution
from skrnn._forecast_parameters import (
    check_can_go_further,
    check_forecast_channels,
    check_forecast_parameters,
    idle_forecast_parameters,
    warn_of_padded_patches,
)
from skrnn._forecast_targets import forecast_targets
from skrnn._hyperparameters import QUANTILES, check_quantiles, has_quantiles, learns_quantiles
from skrnn._labelled import Labelled, Scaling
from skrnn._naive_errors import in_users_units
from skrnn._parameters import check_int
from skrnn._target_transform import transformed_past, transformed_targets
from skrnn._targets import Targets, check_y, future_of_series
from skrnn._uncertainty import UncertainEstimator, has_distribution
from skrnn._validation import Sequences
from skrnn.nn._losses import FORECAST_LOSSES, central_quantile
from skrnn.nn._seq2seq import Seq2SeqModel

N_PARAMETERS = {"gaussian": 2, "student_t": 3}


def _has_attention(estimator: Any) -> bool:
    if hasattr(estimator, "nets_"):
        has = estimator._made_with["attention"] is not None
    else:
        has = estimator.attention is not None and estimator.decoder != "direct"
    if not has:
        raise AttributeError(
            f"attention_weights needs attention='additive' or 'dot' and a decoder with steps, got "
            f"attention={estimator.attention!r} and decoder={estimator.decoder!r}."
        )
    return True


class Seq2SeqForecaster(UncertainEstimator):
    """Encoder-decoder network that reads a window and forecasts the steps that follow it.

    The encoder reads a window of any length and hands its final state to a decoder, which gives the forecast
    (Sutskever et al. 2014; Cho et al. 2014). It stands behind `SlidingWindowTransformer` in a Pipeline.

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
        So many consecutive steps are embedded as one recurrent step (by a linear map to `hidden_size` and ReLU) of the
        encoder, and so many are forecast by one step of the decoder (``net_params={"module__decoder_patch_size": 6}``
        changes that). Faster by about that factor. The last patch ends on the last step of the window; where the window
        is no multiple, the first is padded and `fit` says so.
    layer_norm : bool, default=False
        Normalise what is predicted from, in front of the linear head.
    decoder : {"autoregressive", "direct", "parallel"}, default="autoregressive"
        How the forecast is made from the encoder's final state: step by step, each reading the value before it; by one
        linear map to all steps at once; or all steps (with `patch_size`, segments) at once, each from the state and a
        learned position (SegRNN, Lin et al. 2023). The decoder's layers begin where the encoder's ended (h, and for
        an LSTM c); the encoder's begin with zeros. Of a bidirectional encoder both directions of a layer are brought to
        one state by a learned map.
    teacher_forcing : float in [0, 1] or {"linear", "exponential", "inverse_sigmoid"}, default=0.5
        For the autoregressive decoder: how often, in training, a step reads the true value before it instead of the
        one forecast. Drawn for each step (and segment), for a whole batch at once. The names let it fall from 1 to 0
        over the training (scheduled sampling, Bengio et al. 2015); in `partial_fit` they are at their end. Never in
        `predict`; with a loss that learns a distribution not in the last part of the training (see the notes).
    attention : {"additive", "dot"} or None, default=None
        Let each step of the decoder look at all steps of the encoder (Bahdanau et al. 2015; Luong et al. 2015). Not for
        ``decoder="direct"``, which has no steps.
    channels : {"joint", "shared"}, default="joint"
        "joint": one net reads all channels and forecasts all outputs. "shared": one net is applied to each target
        channel as a series of its own, the channels that are no target beside it; for many alike series often better.
    linear_skip : bool, default=False
        Add a linear map from the window to the forecast, zero at first, with weights for each step of the window that
        `fit` saw. Each output reads its own past (with ``channels="shared"`` by the same weights).
    horizon : int or None, default=None
        None: `y` holds each row's future, ``(n_samples, horizon)`` or ``(n_samples, horizon, n_outputs)``, or
        ``(n_samples,)`` for one step. An int: `y` is the series itself, ``(n_samples,)`` or ``(n_samples, n_outputs)``,
        `X` its windows, and each row learns the next `horizon` values; futures of that width are taken too.
    target_channels : int, str, list of these, or None, default=None
        The channels of X that hold the past of y, one or one for each output. None finds them by equality. An output
        without one starts the autoregressive decoder from a learned vector, never from another variable.
    future_channels : int, str, list of these, or None, default=None
        Channels that are known in advance, built with `future_inputs` for the same horizon: the decoder reads their
        last `horizon` steps, which hold the values of the steps to forecast. Needs windows of at least `horizon` steps.
    n_channels : int or None, default=None
        For 2-D X: how many channels stand side by side in the columns (oldest step first, channels fastest). None
        means 1.
    standardize : bool, default=True
        Standardise each channel of X over its valid steps, and each output of y, with the statistics of the training
        rows. Done in float64 and undone in `predict`; no scaler is needed before this estimator.
    window_scaling : {"auto", "last", "standard", "last_standard"} or None, default="auto"
        What is done to each window by its own values: "last" takes off its last value, "standard" takes off its mean
        and divides by its standard deviation, "last_standard" takes off the last value and divides by the standard
        deviation. Applied to the target channels where there are any (other channels, such as a calendar or a price,
        keep their level), else to all. Undone in `predict`. "auto" is "last" when X is windows of two steps or more
        and y the future of a channel, else None.
    target_transform : {"log1p", "sqrt"} or None, default=None
        Apply it to y and to the target channels of X, and undo it in `predict`: for counts, loads and other series
        whose spread grows with their level. Means of distributions become medians by it.
    loss : str or torch loss class, default="squared_error"
        What is minimised, in standardised units: "squared_error", "absolute_error", "huber"; "quantile" learns
        `quantiles` (pinball loss, Koenker and Bassett 1978), "gaussian" and "student_t" the parameters of a
        distribution for each step (maximum likelihood). "smape_mase" is the relative plus the scaled error in the
        user's units, for panels of series of any size; ``net_params={"criterion__seasonality": 24}`` says how many rows
        make a season (1 without it). A class is called with ``reduction="none"`` and gives the loss of each element.
    quantiles : sequence of float, default=(0.1, 0.5, 0.9)
        Ascending, between 0 and 1: what `predict_quantiles` gives, and what ``loss="quantile"`` learns. `predict` gives
        the one nearest to 0.5, the lower of two that are as near. They never cross.
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
    calibration_fraction : float or None, default=None
        Set aside this share of the labelled rows for `predict_interval`: the last part of each series (after the part
        that early stopping judges by, so that both together take the newest rows from the training), else a random
        part. Coverage 0.9 needs 9 such rows at least, 0.99 needs 99. None sets none aside.
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
        A row for each epoch: ``epoch``, ``train_loss``, ``train_mae`` (in the units of y, after `target_transform`),
        ``seconds``, ``lr`` (at the epoch's end), and ``valid_loss``, ``valid_mae`` where there is a validation part.
        Of several nets all rows, with ``net`` in front; with `validate_every` ``epoch`` is a fraction.
    n_iter_ : int
        Epochs that were run; of several nets the most.
    skill_ : float
        1 - MAE / MAE of a naive forecast over the validation rows, after `target_transform`: 0 is no better, 1 is
        perfect. The naive forecast is the last value where y is the future of a channel, else the mean of the
        training targets. NaN without validation.
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
    SeriesForecaster : The same for a Series or DataFrame, with future labels and backtests.
    SlidingWindowTransformer : Makes windows of a series.
    future_targets : Makes the future of each row.
    future_inputs : Shifts inputs that are known in advance.

    Notes
    -----
    *What X may be*, padding and early windows: as for `RNNRegressor`. NaN in y marks an unknown target, which is left
    out of the loss; steps beyond the last row given to `fit` are unknown, so a plain `TimeSeriesSplit` leaks nothing.

    *Scaling.* Targets that are the future of a channel have exactly the scale of that channel in the windows, at every
    step alike, so that a decoder reads its own forecasts in the units of the past.

    *Distributions* are those of each step given the window, whatever the decoder. So that the autoregressive one learns
    them from the path that it takes itself, teacher forcing ends after six tenths of a training with such a loss. The
    steps of a path from `sample` vary together as the errors of training rows did (a Gaussian copula). With
    ``channels="shared"`` paths of different channels are drawn independently.

    *Weighted rows.* Weights equal repetitions exactly when one batch holds all rows, in float64.

    References
    ----------
    Sutskever et al., Sequence to Sequence Learning with Neural Networks, NeurIPS 2014.
    Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, arXiv:1406.1078.
    Bahdanau et al., Neural Machine Translation by Jointly Learning to Align and Translate, ICLR 2015.
    Luong et al., Effective Approaches to Attention-based Neural Machine Translation, EMNLP 2015.
    Bengio et al., Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks, NeurIPS 2015.
    Lin et al., SegRNN: Segment Recurrent Neural Network for Long-Term Time Series Forecasting, 2023, arXiv:2308.11200.
    Salinas et al., DeepAR: Probabilistic Forecasting with Autoregressive Recurrent Networks, 2017, arXiv:1704.04110.
    Romano et al., Conformalized Quantile Regression, NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skrnn import Seq2SeqForecaster, SlidingWindowTransformer
    >>> y = np.sin(np.arange(160) * 0.3)
    >>> net = Seq2SeqForecaster("gru", hidden_size=8, horizon=6, lr=0.03, random_state=0)
    >>> pipe = make_pipeline(SlidingWindowTransformer(window=24), net).fit(y[:, None], y)
    >>> pipe.predict(y[:, None]).shape
    (160, 6)
    >>> bool(pipe.score(y[:, None], y) > 0.9)
    True

    A distribution for each step, and an interval that holds 80 % of what comes:

    >>> noisy = y + np.random.default_rng(0).normal(scale=0.1, size=160)
    >>> net = Seq2SeqForecaster(
    ...     "gru", hidden_size=8, horizon=6, loss="gaussian", calibration_fraction=0.2, random_state=0
    ... )
    >>> X = SlidingWindowTransformer(window=24).fit_transform(noisy[:, None])
    >>> lower, upper = net.fit(X, noisy).predict_interval(X, coverage=0.8)
    >>> lower.shape, bool((lower <= upper).all())
    ((160, 6), True)
    >>> net.sample(X[-1:], n_samples=50, random_state=0).shape
    (1, 6, 50)
    """

    _aligns_targets = True

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
        layer_norm: bool = False,
        decoder: str = "autoregressive",
        teacher_forcing: float | str = 0.5,
        attention: str | None = None,
        channels: str = "joint",
        linear_skip: bool = False,
        horizon: int | None = None,
        target_channels: Any = None,
        future_channels: Any = None,
        n_channels: int | None = None,
        standardize: bool = True,
        window_scaling: str | None = "auto",
        target_transform: str | None = None,
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
        calibration_fraction: float | None = None,
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
        self.layer_norm = layer_norm
        self.decoder = decoder
        self.teacher_forcing = teacher_forcing
        self.attention = attention
        self.channels = channels
        self.linear_skip = linear_skip
        self.horizon = horizon
        self.target_channels = target_channels
        self.future_channels = future_channels
        self.n_channels = n_channels
        self.standardize = standardize
        self.window_scaling = window_scaling
        self.target_transform = target_transform
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
        self.calibration_fraction = calibration_fraction
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

    # -- forecasts -------------------------------------------------------------------------------------------------

    def predict(self, X: Any, return_std: bool = False, horizon: int | None = None) -> Any:
        """Forecast the steps that follow each row of X.

        Parameters
        ----------
        X : like X in `fit`
            Windows may be longer or shorter than those of `fit`.
        return_std : bool, default=False
            Also return the standard deviation: of the distribution that was learned, and of the nets of an ensemble.
        horizon : int, default=None
            Steps to forecast; None means as many as in `fit`. More than that only with the autoregressive decoder.

        Returns
        -------
        forecast : ndarray of float64
            ``(n_samples, horizon)`` or ``(n_samples, horizon, n_outputs)``, the forecast made at each row, so that the
            last row is the unknown future. For 1-D y without `horizon` ``(n_samples,)``.
        std : ndarray of float64
            Only with ``return_std=True``, of the same shape.

        Raises
        ------
        ValueError
            `horizon` is too long for this decoder; ``return_std=True`` with one net and no distribution.
        """
        sequences, steps, scaling = self._ready(X, horizon)
        parameters = self._parameters_of_nets(sequences, steps)
        forecast = self._shaped(self._mean_forecast(parameters, sequences, scaling), horizon)
        if not return_std:
            return forecast
        return forecast, self._shaped(self._deviation(parameters, sequences, scaling), horizon)

    @available_if(has_distribution)
    def predict_quantiles(self, X: Any, horizon: int | None = None) -> np.ndarray:
        """Forecast every one of `quantiles`, ascending; with ``loss="quantile"``, "gaussian" or "student_t".

        Parameters
        ----------
        X : like X in `fit`
        horizon : int, default=None
            As for `predict`.

        Returns
        -------
        ndarray of float64
            The shape of `predict` and one more axis for the quantiles. They never cross.
        """
        sequences, steps, scaling = self._ready(X, horizon)
        levels = np.array(self._distribution.levels or check_quantiles(self.quantiles))
        quantiles = self._quantiles(self._parameters_of_nets(sequences, steps), levels)
        return self._shaped(self._restored(quantiles, sequences, scaling), horizon)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Forecast an interval for each step that holds the truth with a given probability.

        Split conformal, for each step and output by itself: what the net forecasts (a point, or the quantiles of its
        distribution) is widened until it holds that share of the rows set aside by `calibration_fraction`. Rows that
        are exchangeable with those lie inside with at least that probability, on average over them: a series that
        changes after `fit`, or forecasts made at one hour of the day only, may have another share.

        Parameters
        ----------
        X : like X in `fit`
        coverage : float, default=0.9
            Between 0 and 1.

        Returns
        -------
        lower, upper : ndarray of float64
            Both of the shape of `predict`.

        Raises
        ------
        ValueError
            No rows were set aside, or too few for this coverage (0.9 needs 9, 0.99 needs 99).
        """
        sequences, steps, scaling = self._ready(X, None)
        ends = self._interval(self._parameters_of_nets(sequences, steps), coverage)
        lower, upper = (self._shaped(self._restored(end, sequences, scaling), None) for end in ends)
        return lower, upper

    @available_if(has_distribution)
    def sample(self, X: Any, n_samples: int = 100, random_state: Any = None, horizon: int | None = None) -> np.ndarray:
        """Draw whole paths of the future of each row; with ``loss="quantile"``, "gaussian" or "student_t".

        Parameters
        ----------
        X : like X in `fit`
        n_samples : int, default=100
            Paths for each row.
        random_state : int, RandomState or None, default=None
        horizon : int, default=None
            Steps to draw, at most those of `fit`; None means all.

        Returns
        -------
        ndarray of float64
            The shape of `predict` and one more axis, of length `n_samples`.
        """
        sequences, steps, scaling = self._ready(X, horizon)
        if steps > self._horizon:
            raise ValueError(
                f"How steps vary together was measured for the {self._horizon} steps of `fit`, so no longer paths can "
                f"be drawn, got horizon={horizon}. Fit with horizon={horizon}."
            )
        return self._shaped(self._sample(sequences, n_samples, random_state, steps, scaling), horizon)

    def _n_independent(self) -> int:
        return self._n_outputs if self._made_with["shared"] else 1

    @available_if(_has_attention)
    def attention_weights(self, X: Any) -> np.ndarray:
        """How much each step of the forecast looked at each step of the window; of the first net.

        Parameters
        ----------
        X : like X in `fit`

        Returns
        -------
        ndarray of float64, shape (n_samples, n_decoder_steps, n_steps)
            They add up to 1 over the steps of the window; NaN at padding. With `patch_size` a step is a patch, in the
            window and in the forecast. With ``channels="shared"`` the decoder's steps of one channel follow those
            of the other.
        """
        sequences = self._sequences_for_nets(X)
        module = self.net_.module_
        placed = self._steps_in_place(sequences, lambda x, lengths: module.attend(x, lengths).transpose(1, 2))
        weights = placed[0] if isinstance(placed, tuple) else placed  # (n_samples, n_steps, n_decoder_steps)
        return weights.transpose(0, 2, 1)

    # -- from X to the nets and back -------------------------------------------------------------------------------

    def _sequences_for_nets(self, X: Any) -> Sequences:
        return transformed_past(self._checked_for_prediction(X), self._target_columns, self._transform)

    def _ready(self, X: Any, horizon: int | None) -> tuple[Sequences, int, Scaling]:
        """Sequences, how many steps to forecast, and the scaling of so many."""
        sequences = self._sequences_for_nets(X)
        if horizon is None or check_int("horizon", horizon, low=1) == self._horizon:
            return sequences, self._horizon, self._scaling
        if horizon > self._horizon:
            check_can_go_further(horizon, self._horizon, self._made_with)
        columns = np.arange(horizon * self._n_outputs) % self._n_outputs  # alike at every step
        return sequences, horizon, self._scaling.for_columns(columns)

    def _shaped(self, values: np.ndarray, horizon: int | None) -> np.ndarray:
        """(n_samples, n_columns, ...) -> the shape that y had, with other steps where they were asked for."""
        shape = self._target_shape
        if horizon is not None:
            shape = (horizon, *shape[1:])
        return values.reshape(len(values), *shape, *values.shape[2:])

    def _align_targets(self, X: Any, y: Any) -> np.ndarray:
        """y in the shape of `predict(X)`, NaN where a target is unknown; scorers of skrnn.metrics ask for it."""
        sequences = self._checked_for_prediction(X)
        y = check_y(y, len(sequences), type(self).__name__)
        # rows to score may be too few to show what y is, and what is known beyond them counts
        rows_given = y.ndim == 2 and y.shape[1] > 1 and y.shape[1:] == self._target_shape
        if self.horizon is None or y.ndim == 3 or rows_given or not sequences.are_windows:
            return y
        targets = future_of_series(y, sequences, self.horizon, None, may_be_unknown=True)
        return targets.values.reshape(len(y), *targets.shape)

    # -- what fit is given -----------------------------------------------------------------------------------------

    def _targets(self, y: np.ndarray, sequences: Sequences) -> Targets:
        return forecast_targets(y, sequences, self.horizon, self._resolve_channels("target_channels"))

    def _remember(self, sequences: Sequences, targets: Targets, n_outputs: int) -> None:
        super()._remember(sequences, targets, targets.n_outputs)
        self._n_outputs = targets.n_outputs
        self._horizon = targets.values.shape[1] // targets.n_outputs
        future = self._resolve_channels("future_channels")
        self._future_positions = () if future is None else tuple(future.tolist())
        check_forecast_channels(self, targets, self._future_positions, sequences.n_steps, self._horizon)
        warn_of_padded_patches(self, sequences)

    def _prepared(self, data: Labelled) -> Labelled:
        return transformed_targets(data, self._transform)

    def _for_loss(self, data: Labelled) -> dict[str, np.ndarray]:
        return in_users_units(data, self._scaling, self) if self.loss == "smape_mase" else {}

    # -- parameters ------------------------------------------------------------------------------------------------

    def _check_parameters(self) -> None:
        check_forecast_parameters(self)
        quantiles = check_quantiles(self.quantiles)
        self._central = central_quantile(quantiles) if learns_quantiles(self.loss) else None
        levels = quantiles if learns_quantiles(self.loss) else ()
        self._distribution = Distribution(self.loss if has_quantiles(self.loss) else "point", levels)
        self._transform = self.target_transform

    def _idle_parameters(self) -> list[str]:
        return idle_forecast_parameters(self)

    # -- the net ---------------------------------------------------------------------------------------------------

    def _module(self) -> tuple[type[Seq2SeqModel], dict[str, Any]]:
        names = ("cell", "hidden_size", "n_layers", "bidirectional", "dropout", "input_dropout", "conv_channels")
        others = ("patch_size", "layer_norm", "decoder", "linear_skip", "kernel")
        args = {name: getattr(self, name) for name in (*names, *others)}
        kind = self._distribution.kind
        return Seq2SeqModel, {
            **args,
            "attention": None if self.decoder == "direct" else self.attention,
            "horizon": self._horizon,
            "shared": self.channels == "shared",
            "n_steps": self._n_steps_seen,
            "target_channels": tuple(self._target_columns[-self._n_outputs :].tolist()),
            "future_channels": self._future_positions,
            "emission": kind,
            "n_parameters": len(self.quantiles) if kind == "quantile" else N_PARAMETERS.get(kind, 1),
            "central": self._central or 0,
        }

    def _architecture(self) -> dict[str, Any]:
        own = {**self._teacher_forcing(), "target_transform": self._transform}
        return super()._architecture() | own

    def _scale(self, train: Labelled, scale_targets: bool, *, keep: bool) -> None:
        if keep and self._transform != self._made_with["target_transform"]:
            raise ValueError(
                "The scaling of the former fit is kept, but target_transform has changed from "
                f"{self._made_with['target_transform']!r} to {self._transform!r}. Begin anew with `fit` and "
                "warm_start=False."
            )
        super()._scale(train, scale_targets, keep=keep)

    def _teacher_forcing(self) -> dict[str, Any]:
        if self.decoder != "autoregressive":
            return {}
        return {"teacher_forcing": self.teacher_forcing, "forcing_ends": self._distribution.has_spread}

    def _criterion(self) -> tuple[Any, dict[str, Any]]:
        if isinstance(self.loss, type):
            return self.loss, {}
        args: dict[str, Any] = {}
        if learns_quantiles(self.loss):
            args["quantiles"] = tuple(self.quantiles)
        elif self.loss == "smape_mase":
            args["transform"] = self._transform
        return FORECAST_LOSSES[self.loss], args
