"""What the parameters of an estimator with a net must be, alone and together; checked before anything is trained."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from skrnn._holdout import check_validation
from skrnn._optimizer import OPTIMIZERS, SCHEDULES, is_optimizer_class
from skrnn._parameters import check_bool, check_float, check_int, check_option, is_number
from skrnn._runtime import resolve_device, resolve_dtype
from skrnn.nn._compiled import has_kernels
from skrnn.nn._losses import central_quantile, is_loss_class
from skrnn.nn._pooling import POOLINGS
from skrnn.nn._recurrent import CELLS, KERNELS

QUANTILES = (0.1, 0.5, 0.9)
FAR_FROM_MEDIAN = 0.1
COUNTS_OF_NET_PARAMS = ("module__conv_kernel_size", "module__decoder_patch_size", "criterion__seasonality")
DISTRIBUTIONS = ("gaussian", "student_t")  # losses that learn the parameters of one


def check_net_hyperparameters(estimator: Any) -> None:
    """Raise ValueError for the first parameter of the net or its training that is not what it must be."""
    values = estimator.get_params(deep=False)
    check_option("cell", values["cell"], tuple(CELLS))
    for name in ("hidden_size", "n_layers", "patch_size", "n_nets", "max_epochs", "n_iter_no_change"):
        if name in values:
            check_int(name, values[name], low=1)
    for name in ("conv_channels", "n_channels", "max_steps", "validate_every", "n_threads"):
        if values[name] is not None:
            check_int(name, values[name], low=1, also=" or None")
    for name in COUNTS_OF_NET_PARAMS:
        if isinstance(values["net_params"], dict) and name in values["net_params"]:
            check_int(name, values["net_params"][name], low=1)
    if isinstance(values["net_params"], dict) and "module__input_shift" in values["net_params"]:
        check_float("module__input_shift", values["net_params"]["module__input_shift"], low=0)
    for name in ("bidirectional", "layer_norm", "standardize", "shuffle", "warm_start"):
        check_bool(name, values[name])
    check_bool("return_sequences", estimator.return_sequences)
    for name in ("dropout", "input_dropout"):
        check_float(name, values[name], low=0, high=1, open_high=True)
    check_float("lr", values["lr"], low=0, open_low=True)
    check_float("weight_decay", values["weight_decay"], low=0)
    verbose = values["verbose"]
    check_int("verbose", int(verbose) if isinstance(verbose, bool) else verbose, low=0)
    if values["gradient_clip"] is not None:
        check_float("gradient_clip", values["gradient_clip"], low=0, open_low=True)
    if values["batch_size"] != "auto":
        check_int("batch_size", values["batch_size"], low=1)
    pooling = values.get("pooling", "last")
    check_option("pooling", pooling, POOLINGS)
    scalings: tuple[str | None, ...] = ("auto", None, "last", "first", "standard", "last_standard")
    if "return_sequences" not in values:  # "first" is for a target at each step
        scalings = tuple(scaling for scaling in scalings if scaling != "first")
    check_option("window_scaling", values["window_scaling"], scalings)
    check_option("lr_schedule", values["lr_schedule"], (*SCHEDULES, None))
    check_option("early_stopping", values["early_stopping"], ("auto", True, False))
    check_validation(values["validation"])
    if not is_optimizer_class(values["optimizer"]):
        check_option("optimizer", values["optimizer"], tuple(OPTIMIZERS), also=", or a torch optimizer class")
    _check_machine(values)
    n_features = values["hidden_size"] * (1 + values["bidirectional"]) * (1 + (pooling == "mean_max"))
    if values["layer_norm"] and n_features == 1:
        raise ValueError("layer_norm=True makes a single feature 0, so hidden_size must be at least 2, got 1.")
    if estimator.return_sequences and values.get("patch_size", 1) > 1:
        raise ValueError(
            f"return_sequences=True predicts at each step, but patch_size={estimator.patch_size} makes one step of "
            f"{estimator.patch_size}. Set patch_size=1, or return_sequences=False."
        )


def _check_machine(values: dict[str, Any]) -> None:
    """Raise ValueError for parameters that ask for what this machine lacks."""
    check_option("kernel", values["kernel"], KERNELS)
    if values["kernel"] == "fused" and not has_kernels():
        raise ValueError(
            "kernel='fused' needs numba, which is not installed, does not work here, or finds no folder for its cache. "
            'Run `pip install "skrnn[fast]"` (from a checkout `pip install -e ".[fast]"`), name a folder in '
            "NUMBA_CACHE_DIR, or set kernel='auto'."
        )
    check_option("amp", values["amp"], ("bf16", None))
    if values["amp"] is not None and values["device"] != "auto" and resolve_device(values["device"]) == "cpu":
        raise ValueError(
            f"amp={values['amp']!r} is mixed precision on a GPU, got device={values['device']!r}. Set device='cuda', "
            "or amp=None."
        )


def check_loss(loss: Any, options: tuple[str, ...]) -> None:
    """Raise ValueError unless `loss` is one of `options` or a class of torch losses that takes `reduction`."""
    if is_loss_class(loss):
        return
    if isinstance(loss, type):
        raise ValueError(
            f"`loss` must be a torch class with an argument `reduction`, so that rows can be weighted, got {loss!r}. "
            "Give your loss that argument, and let it return the loss of each element for reduction='none'."
        )
    check_option("loss", loss, options, also=", or a torch loss class")


def learns_quantiles(loss: Any) -> bool:
    """Whether the parameter `loss` asks for quantiles; it may be a class."""
    return isinstance(loss, str) and loss == "quantile"


def has_quantiles(loss: Any) -> bool:
    """Whether what is learned with `loss` has quantiles: they are learned, or a distribution is."""
    return learns_quantiles(loss) or (isinstance(loss, str) and loss in DISTRIBUTIONS)


def check_quantiles(quantiles: Any) -> tuple[float, ...]:
    """Return the quantiles when they are ascending numbers between 0 and 1, else raise ValueError."""
    listed = list(quantiles) if isinstance(quantiles, (list, tuple, np.ndarray)) else None
    inside = bool(listed) and all(is_number(quantile) and 0 < quantile < 1 for quantile in listed or [])
    if listed is None or not inside or any(a >= b for a, b in zip(listed[:-1], listed[1:], strict=True)):
        raise ValueError(
            f"`quantiles` must be ascending numbers between 0 and 1, such as {QUANTILES}, got {quantiles!r}."
        )
    return tuple(float(quantile) for quantile in listed)


def idle_quantiles(loss: Any, quantiles: Any) -> list[str]:
    """What to say of `quantiles` that do nothing, or whose middle is no median."""
    if not has_quantiles(loss):
        if np.array_equal(np.asarray(quantiles, dtype=object), np.array(QUANTILES, dtype=object)):
            return []
        return [f"quantiles={quantiles!r} does nothing, since loss is not 'quantile'."]
    if not learns_quantiles(loss):
        return []
    central = quantiles[central_quantile(quantiles)]
    if abs(central - 0.5) <= FAR_FROM_MEDIAN:
        return []
    return [
        f"quantiles={quantiles!r} has none near 0.5, so `predict` gives the {central:g} quantile. Add 0.5, or use "
        "predict_quantiles only."
    ]


def warn_of_idle_hyperparameters(estimator: Any, *, judged: bool, given: bool) -> None:
    """Warn of parameters that were set but do nothing.

    Parameters
    ----------
    estimator : estimator
        With valid parameters.
    judged : bool
        Whether there is a validation part.
    given : bool
        Whether it is X_val and y_val.
    """
    for message in _idle_hyperparameters(estimator, judged, given):
        warnings.warn(message, UserWarning, stacklevel=4)


def _idle_hyperparameters(estimator: Any, judged: bool, given: bool) -> list[str]:
    messages: list[str] = [*estimator._idle_parameters(), *_idle_on_this_machine(estimator)]
    if estimator.dropout and estimator.n_layers == 1:
        messages.append(
            f"dropout={estimator.dropout} acts between layers, and n_layers=1 has no such place. Set n_layers=2 or "
            "more, or dropout=0."
        )
    validation = estimator.validation
    if not (isinstance(validation, str) and validation == "auto") and (given or not judged):
        reason = "X_val and y_val are given" if given else "no rows are held out"
        messages.append(
            f"validation={validation!r} does nothing, since {reason} (early_stopping={estimator.early_stopping!r})."
        )
    if estimator.validate_every is not None and not judged:
        messages.append(
            f"validate_every={estimator.validate_every} has no rows to validate on. Set early_stopping=True, or pass "
            "X_val and y_val."
        )
    if estimator.lr_schedule == "plateau" and not judged:
        messages.append(
            "lr_schedule='plateau' has no validation loss to watch, so it watches the training loss. Set "
            "early_stopping=True, or pass X_val and y_val."
        )
    return messages


def _idle_on_this_machine(estimator: Any) -> list[str]:
    device = resolve_device(estimator.device)
    dtype = resolve_dtype(estimator.dtype, device=device, one_batch=False)
    messages = []
    if estimator.kernel == "fused" and (device != "cpu" or dtype == np.float64):
        reason = f"dtype={estimator.dtype!r}" if device == "cpu" else f"device={estimator.device!r}"
        messages.append(f"kernel='fused' does nothing, since it is for float32 on the CPU, and {reason}.")
    if estimator.amp is not None and (device == "cpu" or dtype == np.float64):
        reason = "device='auto' found no GPU" if device == "cpu" else f"dtype={estimator.dtype!r} asks for float64"
        messages.append(f"amp={estimator.amp!r} does nothing, since {reason}.")
    return messages
