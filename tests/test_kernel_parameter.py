"""`kernel`, `n_threads` and `amp`: what they may be, and that they reach the layers."""

import numpy as np
import pytest
import torch

from skrnn import RNNClassifier, RNNRegressor, Seq2SeqForecaster, SequenceTagger, _hyperparameters
from skrnn.nn._compiled import has_kernels
from skrnn.nn._recurrent import RecurrentStack

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 2, "random_state": 0}
needs_numba = pytest.mark.skipif(not has_kernels(), reason="needs numba")


def data(n_samples=40):
    X = np.random.RandomState(0).randn(n_samples, 5, 2)
    return X, X[:, -1, 0]


def stacks(model):
    return [part for part in model.net_.module_.modules() if isinstance(part, RecurrentStack)]


def fitted(estimator, **params):
    X, y = data()
    if estimator is Seq2SeqForecaster:
        y = np.stack([y, -y, y], axis=1)
        params = {"horizon": 3, **params}
    if estimator in (RNNClassifier, SequenceTagger):
        y = np.where(X[..., 0] > 0, "up", "down")
        y = y[:, -1] if estimator is RNNClassifier else y.tolist()
    return estimator(**SMALL, **params).fit(X, y)


CASES = [
    (RNNRegressor, {}, 1),
    (RNNClassifier, {}, 1),
    (SequenceTagger, {}, 1),
    (Seq2SeqForecaster, {"decoder": "autoregressive"}, 2),
    (Seq2SeqForecaster, {"decoder": "parallel"}, 2),
    (Seq2SeqForecaster, {"decoder": "direct"}, 1),
]


@pytest.mark.parametrize("estimator, params, n_stacks", CASES, ids=str)
def test_the_kernel_reaches_every_recurrent_layer(estimator, params, n_stacks):
    for kernel in ("auto", "torch"):
        model = fitted(estimator, **params, kernel=kernel)
        assert [stack.kernel for stack in stacks(model)] == [kernel] * n_stacks


@pytest.mark.parametrize("params", [{}, {"cell": "lstm", "bidirectional": True}, {"cell": "rnn_relu", "n_layers": 2}])
def test_predictions_are_those_of_torchs_own_layers(params):
    X, y = data()
    ours, torchs = (
        RNNRegressor(**SMALL | params, kernel=kernel, batch_size=7).fit(X, y).predict(X) for kernel in ("auto", "torch")
    )
    np.testing.assert_allclose(ours, torchs, rtol=1e-3, atol=1e-4)  # the last digits grow from step to step


@pytest.mark.parametrize(
    "params, message",
    [
        ({"kernel": "numba"}, "`kernel` must be one of 'auto', 'torch', 'fused', got 'numba'"),
        ({"kernel": None}, "`kernel` must be one of"),
        ({"n_threads": 0}, "`n_threads` must be an int of at least 1 or None, got 0"),
        ({"n_threads": -1}, "`n_threads` must be an int of at least 1 or None, got -1"),
        ({"n_threads": 2.0}, "`n_threads` must be an int"),
        ({"n_threads": True}, "`n_threads` must be an int"),
        ({"amp": "fp16"}, "`amp` must be one of 'bf16', None, got 'fp16'"),
        ({"amp": True}, "`amp` must be one of"),
        ({"amp": "bf16"}, "amp='bf16' is mixed precision on a GPU, got device='cpu'. Set device='cuda', or amp=None"),
        ({"net_params": {"module__kernel": "torch"}}, "shadows the parameter `kernel`"),
        ({"net_params": {"amp": "bf16"}}, "shadows the parameter `amp`"),
    ],
    ids=str,
)
@pytest.mark.parametrize("estimator", [RNNRegressor, RNNClassifier, Seq2SeqForecaster, SequenceTagger])
def test_errors_name_the_parameter(estimator, params, message):
    with pytest.raises(ValueError, match=message):
        fitted(estimator, **params)


def test_fused_without_numba_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(_hyperparameters, "has_kernels", lambda: False)
    with pytest.raises(ValueError, match=r'needs numba.*"skrnn\[fast\]".*checkout.* -e "\.\[fast\]"'):
        fitted(RNNRegressor, kernel="fused")


@needs_numba
def test_fused_is_what_auto_takes():
    X, y = data()
    auto, fused = (
        RNNRegressor(**SMALL, kernel=kernel, batch_size=7).fit(X, y).predict(X) for kernel in ("auto", "fused")
    )
    np.testing.assert_array_equal(auto, fused)


@needs_numba
def test_fused_that_does_nothing_is_told():
    with pytest.warns(UserWarning, match="kernel='fused' does nothing, since it is for float32 on the CPU, and dtype"):
        fitted(RNNRegressor, kernel="fused", dtype="float64")


@pytest.mark.skipif(torch.cuda.is_available(), reason="finds a GPU")
def test_amp_without_a_gpu_is_told():
    with pytest.warns(UserWarning, match="amp='bf16' does nothing, since device='auto' found no GPU"):
        fitted(RNNRegressor, amp="bf16", device="auto")


def test_torch_compile_takes_torchs_layers_and_says_so(monkeypatch, capsys):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda module, **how: compiled.append(module) or module)
    model = fitted(RNNRegressor, net_params={"compile": True}, verbose=1, n_nets=2)
    assert [stack.kernel for stack in stacks(model)] == ["torch"]
    assert len(compiled) >= 2
    assert capsys.readouterr().err.count("compile=True compiles torch's own layers, so kernel='torch' runs.") == 1
    fitted(RNNRegressor, net_params={"compile": True})
    fitted(RNNRegressor, net_params={"compile": True}, verbose=1, kernel="torch")
    assert "compile" not in capsys.readouterr().err


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@needs_numba
def test_fused_takes_float32_where_auto_takes_float64(method, capsys):
    X, y = data(20)  # one batch
    kernels = {kernel: getattr(RNNRegressor(**SMALL, kernel=kernel, verbose=1), method) for kernel in ("auto", "fused")}
    assert kernels["fused"](X, y).dtype_ == np.float32
    assert "kernel=" not in capsys.readouterr().err
    assert kernels["auto"](X, y).dtype_ == np.float64
    reason = "kernel='auto': dtype='auto' is float64 where one batch holds all rows (unless kernel='fused'), so no "
    assert f"{reason}compiled kernels; loops of torch operations run." in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:kernel='fused' does nothing")
@needs_numba
def test_fused_that_does_not_run_is_said_at_verbose(capsys):
    X, y = data(20)
    RNNRegressor(**SMALL, kernel="fused", verbose=1, dtype="float64").fit(X, y)
    assert "kernel='fused': the precision is float64, so no compiled kernels; loops of" in capsys.readouterr().err


@pytest.mark.parametrize("estimator", [RNNRegressor, RNNClassifier, Seq2SeqForecaster, SequenceTagger])
def test_prediction_refuses_the_n_threads_that_fit_refuses(estimator):
    model = fitted(estimator)
    for n_threads in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"`n_threads` must be an int of at least 1 or None, got {n_threads}"):
            model.set_params(n_threads=n_threads).predict(data()[0])


def test_the_kernel_is_that_of_fit():
    X, _ = data()
    model = fitted(RNNRegressor, kernel="auto")
    expected = model.predict(X)
    np.testing.assert_array_equal(model.set_params(kernel="torch").predict(X), expected)
    assert [stack.kernel for stack in stacks(model)] == ["auto"]


def test_a_net_of_a_gpu_has_the_kernels_where_it_is_unpickled_on_a_cpu():
    model = fitted(RNNRegressor)
    model.device_ = "cuda"
    assert model._kernel_here(False, says=False) == "auto"


def test_partial_fit_keeps_the_kernel():
    X, y = data()
    model = RNNRegressor(**SMALL).partial_fit(X, y)
    with pytest.raises(ValueError, match="kernel has changed from 'auto' to 'torch'"):
        model.set_params(kernel="torch").partial_fit(X, y)
    model.set_params(kernel="auto", n_threads=1).partial_fit(X, y)
