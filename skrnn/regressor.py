"""RNNRegressor: sequences to numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import _check_sample_weight

from skrnn._estimator import Labelled, RecurrentEstimator
from skrnn._holdout import check_validation
from skrnn._optimizer import OPTIMIZERS, SCHEDULES, is_optimizer_class
from skrnn._parameters import check_bool, check_float, check_int, check_option
from skrnn._runtime import draw_seed
from skrnn._targets import UNKNOWN, Targets, check_y, copied_channel, explicit_targets, future_of_series, misread_series
from skrnn._validation import Sequences
from skrnn.metrics import r2_score
from skrnn.nn._losses import LOSSES
from skrnn.nn._models import SequenceToVector
from skrnn.nn._recurrent import CELLS

VALIDATION_RECIPE = (
    "Call sklearn.set_config(enable_metadata_routing=True), give this step .set_fit_request(X_val=True, y_val=True), "
    "build Pipeline([...], transform_input=['X_val']), and pass X_val and y_val to the fit of the pipeline."
)


class RNNRegressor(RegressorMixin, RecurrentEstimator):
    """Recurrent network that reads a sequence and predicts one or more numbers.

    Takes the place of Ridge or a forest for time series (behind `SlidingWindowTransformer`) and for any other
    sequences: 3-D arrays, lists of unequal length, 2-D tables of lagged values.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}, default="lstm"
        Long short-term memory (Hochreiter and Schmidhuber 1997), gated recurrent unit (Cho et al. 2014), or the
        plain recurrence with tanh (Elman 1990); the equations are those of `torch.nn`.
    hidden_size : int, default=32
        Values in the state of each layer and direction.
    n_layers : int, default=1
        Recurrent layers, each reading the outputs of the one below.
    bidirectional : bool, default=False
        Read each sequence in both directions; what is predicted from is the final state of each direction.
    dropout : float, default=0.0
        Share of values dropped between layers in training. Needs two layers or more.
    horizon : int or None, default=None
        None: `y` holds each row's targets. An int: `y` is the series itself, `X` its windows, and each row learns
        the next `horizon` values; `predict` then gives ``(n_samples, horizon)`` or
        ``(n_samples, horizon, n_outputs)``, for 1 too. Scorers of scikit-learn would compare ``y[t]`` with the
        forecast of ``y[t + 1]``: use `score` or those of `skrnn.metrics`.
    target_channels : int, str, list of these, or None, default=None
        The channels of X whose future y is, one or one for each output. None finds them by equality.
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
        keep their level), else to all. Undone in `predict`. "auto" is "last" when X is windows and y the future of a
        channel, else None.
    loss : {"squared_error", "absolute_error", "huber"}, default="squared_error"
        What is minimised, in standardised units.
    optimizer : {"adam", "adamw", "sgd", "rmsprop"} or torch optimizer class, default="adam"
        Further arguments go into `net_params`, for example ``{"optimizer__momentum": 0.9}``.
    lr : float, default=0.01
        Learning rate; the highest one where there is a schedule.
    weight_decay : float, default=0.0
        Passed to the optimizer (an L2 penalty; decoupled for "adamw").
    lr_schedule : {"cosine", "onecycle", "plateau"} or None, default="cosine"
        "cosine" anneals to 0 over the whole training, "onecycle" warms up over 30 % of it and anneals, both batch by
        batch; "plateau" halves the rate after 5 epochs without a better validation loss.
    gradient_clip : float or None, default=1.0
        Largest joint norm of the gradients.
    batch_size : int or "auto", default="auto"
        Rows for each update. "auto": all rows up to 32, then ``n // 16`` between 16 and 128, so that small sets get
        their updates.
    shuffle : bool, default=True
        Draw a new order of the rows in each epoch.
    max_epochs : int, default=100
        Passes over the training rows.
    max_steps : int or None, default=None
        A budget of batches; training ends when it is used up, or after `max_epochs`.
    early_stopping : bool or "auto", default="auto"
        Hold some rows out, judge each epoch by them and keep the weights of the best. "auto": from 500 training rows
        with a known target on. With a cosine or one-cycle schedule all epochs run (stopping would come before the
        rate is annealed); else training stops after `n_iter_no_change` epochs without a better one.
    validation : {"auto", "tail", "shuffle"}, float or splitter, default="auto"
        What is held out: "tail" is the last tenth of each series (without the ``horizon - 1`` rows before it, whose
        targets lie inside), "shuffle" a random tenth; a number replaces the tenth; of a splitter the first split is
        taken. "auto" is "tail" for windows of a series, else "shuffle". "shuffle" of overlapping windows is refused.
    n_iter_no_change : int, default=10
        See `early_stopping`.
    warm_start : bool, default=False
        Begin with the weights (and the standardisation) of the former fit.
    device : {"cpu", "cuda", "auto"}, default="cpu"
        Where the net runs; "auto" takes a GPU where there is one.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Precision. "auto" is float64 when the device is the CPU and one batch holds all training rows, else float32.
    random_state : int, RandomState or None, default=None
        Decides everything that is random, on the CPU bit for bit for the same number of torch threads (nets with
        `hidden_size` up to 40 and all nets in workers have one, so any `n_jobs` gives the same). The global
        generators of numpy and torch are neither read nor changed.
    verbose : int, default=0
        1 shows a progress bar: epoch, loss, validation loss, time left.
    net_params : dict or None, default=None
        Everything else of skorch and torch by skorch's names: ``optimizer__...``, ``callbacks``,
        ``callbacks__...``, ``iterator_train__...``, ``module__...``, ``compile``. Such names are parameters of this
        estimator too, so that ``GridSearchCV(est, {"optimizer__betas": [...]})`` works.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; its `module_`, `history` and callbacks are there to be used.
    history_ : DataFrame
        A row for each epoch: ``epoch``, ``train_loss``, ``train_mae`` (in the units of y), ``seconds``, ``lr`` (at the
        epoch's end), and ``valid_loss``, ``valid_mae`` where there is a validation part.
    n_iter_ : int
        Epochs that were run.
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
    ``(n_samples, horizon, n_outputs)``. NaN marks an unknown target: a row wholly NaN does not train (its X still
    serves as history), a partly known one trains on what is known, and `score` skips the unknown. Where y is the
    future of a channel of X, steps beyond the last row given to `fit` are treated as unknown, so that no target leaks
    over the border of a `TimeSeriesSplit`.

    *Initial weights* are Keras's: recurrent weights orthogonal, input weights Glorot uniform, forget-gate bias 1.

    *Weighted rows.* Weights equal repetitions exactly when one batch holds all rows (up to 32 with "auto"); with
    mini-batches they do so on average. A row of weight 0 does not train.

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
    """

    def __init__(
        self,
        cell: str = "lstm",
        *,
        hidden_size: int = 32,
        n_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        horizon: int | None = None,
        target_channels: Any = None,
        n_channels: int | None = None,
        standardize: bool = True,
        window_scaling: str | None = "auto",
        loss: str = "squared_error",
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
        warm_start: bool = False,
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
        self.horizon = horizon
        self.target_channels = target_channels
        self.n_channels = n_channels
        self.standardize = standardize
        self.window_scaling = window_scaling
        self.loss = loss
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
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose
        self.net_params = net_params

    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> RNNRegressor:
        """Train the net.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, n_channels), list of arrays, windows, or 2-D table
            See the notes of the class.
        y : array-like of shape (n_samples,), (n_samples, n_outputs) or (n_samples, horizon[, n_outputs])
            Targets, NaN where unknown; with `horizon` set, the series itself.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative.
        X_val, y_val : like X and y, default=None
            Judge the epochs by these instead of rows held out.

        Returns
        -------
        self : RNNRegressor

        Raises
        ------
        ValueError
            A parameter, X or y is not what it must be (before training starts; a former fit stays), or the loss
            became NaN in the first epoch.

        Warns
        -----
        ConvergenceWarning
            The loss still fell at `max_epochs`, or became NaN.
        UserWarning
            A parameter was set that does nothing here, or y is a channel of X at the same row.
        """
        with self._left_as_it_was():
            self._check_parameters()
            data = self._labelled(X, y, sample_weight, reset=True)
            held_out = self._check_validation_set(X_val, y_val)
            self._warn_of_idle_parameters(data, held_out)
            rng = np.random.RandomState(draw_seed(self.random_state))
            train, valid = self._split(data, held_out, rng)
            del data  # what belongs to rows without a target is not kept while the net trains
            self._fit_net(train, valid, rng, scale_targets=True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict one row of targets for each row of X.

        Parameters
        ----------
        X : like X in `fit`
            Sequences may be longer or shorter than those of `fit`.

        Returns
        -------
        ndarray of float64
            Of shape (n_samples,) and so on, as y was; with `horizon` set (n_samples, horizon[, n_outputs]), the
            forecast made at each row, so that the last row is the unknown future.
        """
        sequences = self._checked_for_prediction(X)
        values = self._raw_predict(sequences)  # (n_samples, n_columns)
        return values.reshape(len(values), *self._target_shape)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination R² over all known targets.

        Parameters
        ----------
        X : like X in `fit`
        y : like y in `fit`
            NaN is skipped; with `horizon` set, the futures that lie within the rows given are compared.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            The mean over outputs (and steps); 1 is perfect, 0 is the mean of y.
        """
        truth = self._align_targets(X, y)
        return r2_score(truth, self.predict(X), sample_weight=sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _align_targets(self, X: Any, y: Any) -> np.ndarray:
        """y in the shape of `predict(X)`, NaN where a target is unknown; scorers of skrnn.metrics ask for it."""
        sequences = self._checked_for_prediction(X)
        y = check_y(y, len(sequences), type(self).__name__)
        if self.horizon is None:
            return y
        targets = future_of_series(y, sequences, self.horizon, None, may_be_unknown=True)
        return targets.values.reshape(len(y), *targets.shape)

    # -- what fit is given -----------------------------------------------------------------------------------------

    def _labelled(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Labelled:
        """Checked sequences, targets and weights; `reset` records what `predict` will need of them."""
        sequences = self._check_X(X, reset=reset)
        y = check_y(y, len(sequences), type(self).__name__)
        targets = self._targets(y, sequences)
        if reset:
            self._target_shape = targets.shape
            n_outputs = 1 if y.ndim == 1 else y.shape[-1]
            outputs = targets.channels[-n_outputs:]
            self.target_channels_ = None if (outputs == UNKNOWN).all() else outputs
        elif targets.shape != self._target_shape:
            raise ValueError(f"y_val has rows of shape {targets.shape}, but those of y have {self._target_shape}.")
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
            if not sample_weight.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        return Labelled(sequences, targets, sample_weight)

    def _targets(self, y: np.ndarray, sequences: Sequences) -> Targets:
        named = self._resolve_target_channels()
        if self.horizon is not None:
            targets = future_of_series(y, sequences, self.horizon, named)
            misread = misread_series(y, sequences)
            if misread is not None:
                warnings.warn(misread, UserWarning, stacklevel=4)
            return targets
        copied = copied_channel(y, sequences)
        if copied is not None:
            warnings.warn(
                f"y equals channel {copied} of X at the last step of each window, so the net can copy its input and "
                "learns no forecast. To forecast the next value set horizon=1 (y stays the series), or pass "
                "future_targets(y, 1) as y.",
                UserWarning,
                stacklevel=4,
            )
        return explicit_targets(y, sequences, named)

    def _check_validation_set(self, X_val: Any, y_val: Any) -> Labelled | None:
        if (X_val is None) != (y_val is None):
            raise ValueError(
                "X_val and y_val go together, but only one of them was given. In a Pipeline: " + VALIDATION_RECIPE
            )
        if X_val is None:
            return None
        if self._layout == "sequences" and getattr(X_val, "ndim", None) == 2:
            raise ValueError(
                f"X_val must be sequences (3-D or ragged) like X, got a 2-D table of shape {X_val.shape}. In a "
                "Pipeline an X_val for this step has not passed the steps before. " + VALIDATION_RECIPE
            )
        return self._labelled(X_val, y_val, None, reset=False)

    # -- parameters ------------------------------------------------------------------------------------------------

    def _check_parameters(self) -> None:
        """Raise ValueError for the first parameter that is not what it must be."""
        check_option("cell", self.cell, tuple(CELLS))
        for name in ("hidden_size", "n_layers", "max_epochs", "n_iter_no_change"):
            check_int(name, getattr(self, name), low=1)
        for name in ("horizon", "n_channels", "max_steps"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name), low=1)
        for name in ("bidirectional", "standardize", "shuffle", "warm_start"):
            check_bool(name, getattr(self, name))
        check_float("dropout", self.dropout, low=0, high=1, open_high=True)
        check_float("lr", self.lr, low=0, open_low=True)
        check_float("weight_decay", self.weight_decay, low=0)
        check_int("verbose", int(self.verbose) if isinstance(self.verbose, bool) else self.verbose, low=0)
        if self.gradient_clip is not None:
            check_float("gradient_clip", self.gradient_clip, low=0, open_low=True)
        if self.batch_size != "auto":
            check_int("batch_size", self.batch_size, low=1)
        check_option("window_scaling", self.window_scaling, ("auto", None, "last", "standard", "last_standard"))
        check_option("loss", self.loss, tuple(LOSSES))
        check_option("lr_schedule", self.lr_schedule, (*SCHEDULES, None))
        check_option("early_stopping", self.early_stopping, ("auto", True, False))
        check_validation(self.validation)
        if not is_optimizer_class(self.optimizer):
            check_option("optimizer", self.optimizer, tuple(OPTIMIZERS), also=", or a torch optimizer class")

    def _warn_of_idle_parameters(self, data: Labelled, held_out: Labelled | None) -> None:
        """Warn of parameters that were set but do nothing here."""
        if self.dropout and self.n_layers == 1:
            warnings.warn(
                f"dropout={self.dropout} acts between layers, and n_layers=1 has no such place. Set n_layers=2 or "
                "more, or dropout=0.",
                UserWarning,
                stacklevel=3,
            )
        judged = held_out is not None or self._holds_out(len(data.learning_rows()))
        if not (isinstance(self.validation, str) and self.validation == "auto") and (
            held_out is not None or not judged
        ):
            reason = "X_val and y_val are given" if held_out is not None else "no rows are held out"
            warnings.warn(
                f"validation={self.validation!r} does nothing, since {reason} "
                f"(early_stopping={self.early_stopping!r}).",
                UserWarning,
                stacklevel=3,
            )
        if self.lr_schedule == "plateau" and not judged:
            warnings.warn(
                "lr_schedule='plateau' has no validation loss to watch, so it watches the training loss. Set "
                "early_stopping=True, or pass X_val and y_val.",
                UserWarning,
                stacklevel=3,
            )

    # -- the net ---------------------------------------------------------------------------------------------------

    def _module(self) -> tuple[type[SequenceToVector], dict[str, Any]]:
        names = ("cell", "hidden_size", "n_layers", "bidirectional", "dropout")
        return SequenceToVector, {name: getattr(self, name) for name in names}

    def _loss_class(self) -> Any:
        return LOSSES[self.loss]
