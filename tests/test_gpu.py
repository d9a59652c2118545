"""The path of a GPU: tests that need one (marked `gpu`), and its pieces on the CPU."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.exceptions import DeviceWarning

from skrnn import RNNClassifier, RNNRegressor, Seq2SeqForecaster, SequenceTagger, TokenEmbedder, Windows, _runtime
from skrnn._batches import sent
from skrnn._runtime import home_of_data, mixed_precision

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 5, "max_epochs": 3, "random_state": 0, "dtype": "float32"}
WORDS = [["a", "bc"], ["bc", "d", "a", "a", "e"], ["d"], ["e", "bc", "a"]] * 5
on_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
needs_gpu = [pytest.param("cuda", marks=on_gpu)]


def series():
    rows = np.random.RandomState(0).randn(53, 2).cumsum(axis=0)
    X = Windows(rows, np.arange(53), np.zeros(53), np.zeros(53), 7, channel_names=["a", "b"])  # some are short
    return X, rows[:, 0]


def regressor():
    X, y = series()
    return RNNRegressor(**SMALL, horizon=3), X, y


def classifier():
    texts = [" ".join(words) for words in WORDS]
    return RNNClassifier(**SMALL), TokenEmbedder(dim=4).fit_transform(texts), ["x" if "a" in t else "y" for t in texts]


def forecaster():
    X, y = series()
    return Seq2SeqForecaster(**SMALL, horizon=3, attention="additive", loss="gaussian", early_stopping=False), X, y


def tagger():
    return SequenceTagger(**SMALL, crf=True), TokenEmbedder(dim=4).fit_transform(WORDS), WORDS


CASES = [regressor, classifier, forecaster, tagger]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)


def outputs_of(model, X):
    """What the net gives, as float64: a tagger's `predict` has labels."""
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def joined(values):
    return np.concatenate([np.ravel(row) for row in values])


# -- with a GPU ----------------------------------------------------------------------------------------------------


@each_case
@pytest.mark.parametrize("device", needs_gpu)
def test_a_gpu_gives_what_the_cpu_gives(case, device):
    model, X, y = case()
    ours = clone(model).set_params(device=device).fit(X, y)
    assert next(ours.net_.module_.parameters()).is_cuda
    theirs = model.set_params(kernel="torch").fit(X, y)
    np.testing.assert_allclose(joined(outputs_of(ours, X)), joined(outputs_of(theirs, X)), rtol=1e-2, atol=1e-2)


@each_case
@pytest.mark.parametrize("device", needs_gpu)
def test_data_that_stay_on_the_host_give_the_same_on_a_gpu(case, device, monkeypatch):
    model, X, y = case()
    model.set_params(device=device)
    expected = joined(outputs_of(clone(model).fit(X, y), X))
    monkeypatch.setattr(_runtime, "MOST_OF_DEVICE", 0.0)
    np.testing.assert_allclose(joined(outputs_of(model.fit(X, y), X)), expected, rtol=1e-4, atol=1e-5)


@each_case
@pytest.mark.parametrize("device", needs_gpu)
def test_bfloat16_on_a_gpu_is_near(case, device):
    model, X, y = case()
    model.set_params(device=device)
    exact = joined(outputs_of(clone(model).fit(X, y), X))
    rough = clone(model).set_params(amp="bf16").fit(X, y)
    assert {parameter.dtype for parameter in rough.net_.module_.parameters()} == {torch.float32}
    near = joined(outputs_of(rough, X))
    assert not np.array_equal(near, exact)
    np.testing.assert_allclose(near, exact, atol=0.15 * np.abs(exact).max())


# -- without -------------------------------------------------------------------------------------------------------


def test_data_live_on_a_gpu_when_they_fit(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 7000))
    assert home_of_data(500, "cuda:1") == "cuda:1"
    assert home_of_data(501, "cuda:1") == "cpu"
    assert home_of_data(10**15, "cpu") == "cpu"


def test_both_sets_and_their_targets_count(monkeypatch):
    """The base is counted once, where training and validation rows share it."""
    asked = []
    monkeypatch.setattr("skrnn._building_estimator.home_of_data", lambda n, device: asked.append(n) or device)
    X, y = series()
    RNNRegressor(**SMALL, horizon=3, early_stopping=True, validation=0.2).fit(X, y)
    n_targets = asked[0] / 4 - 53 * 2
    assert n_targets % 6 == 0  # 3 targets of a row, and as many weights
    assert 45 < n_targets / 6 <= 50  # the last rows have no future that is known


@each_case
def test_everything_of_a_batch_is_sent(case):
    """To a device without memory, which shows where tensors are."""
    model, X, y = case()
    trained = []
    train = type(model.fit(X, y).net_).train
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            type(model.net_), "train", lambda net, dataset, **how: trained.append(dataset) or train(net, dataset, **how)
        )
        model.fit(X, y)
    dataset = trained[0]
    here = dataset.batch(torch.arange(4))
    dataset.destination = torch.device("meta")
    inputs, values = dataset.batch(torch.arange(4))
    tensors, expected = leaves((inputs, values)), leaves(here)
    assert len(tensors) >= 2
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert [tensor.shape for tensor in tensors] == [tensor.shape for tensor in expected]
    assert type(inputs["x"]) is type(here[0]["x"])
    assert {tensor.device.type for tensor in leaves(dataset.sequences(torch.arange(3)))} == {"meta"}


def leaves(part):
    """All tensors in a batch."""
    if isinstance(part, torch.Tensor):
        return [part]
    parts = part.values() if isinstance(part, dict) else part if isinstance(part, tuple) else vars(part).values()
    return [tensor for each in parts if each is not None for tensor in leaves(each)]


def test_what_is_sent_keeps_its_values():
    x = torch.arange(6.0).view(2, 3)
    batch = sent(({"x": x, "lengths": None}, x + 1), torch.device("cpu"))
    assert torch.equal(batch[0]["x"], x)
    assert batch[0]["lengths"] is None
    assert torch.equal(batch[1], x + 1)


def test_mixed_precision_is_that_of_the_device():
    layer, x = torch.nn.Linear(3, 2), torch.ones(5, 3)
    with mixed_precision("bf16", "cpu"):
        assert layer(x).dtype == torch.bfloat16
    with mixed_precision(None, "cpu"):
        assert layer(x).dtype == torch.float32


@each_case
def test_a_net_in_bfloat16_trains_and_predicts_in_float32(case):
    model, X, y = case()
    model.set_params(kernel="torch").fit(X, y)
    exact = joined(outputs_of(model, X))
    net = model.net_
    net.amp = "bf16"
    seen = []
    get_loss = type(net).get_loss
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            type(net),
            "get_loss",
            lambda self, y_pred, *args, **how: seen.append(y_pred) or get_loss(self, y_pred, *args, **how),
        )
        model.partial_fit(X, y)
    assert seen
    for y_pred in seen:
        assert getattr(y_pred, "scores", y_pred).dtype == torch.float32
    for parameter in net.module_.parameters():
        assert parameter.dtype == torch.float32
        assert bool(parameter.isfinite().all())
    model.fit(X, y)
    model.net_.amp = "bf16"
    near = joined(outputs_of(model, X))
    assert not np.array_equal(near, exact)
    np.testing.assert_allclose(near, exact, atol=0.1 * np.abs(exact).max())


def test_a_net_of_a_gpu_computes_in_float32_where_there_is_none():
    model, X, y = regressor()
    net = model.fit(X, y).net_
    net.amp = "bf16"
    assert pickle.loads(pickle.dumps(net)).amp == "bf16"
    state = net.__getstate__() | {"device": "cuda"}
    if torch.cuda.is_available():
        pytest.skip("finds a GPU")
    read = type(net).__new__(type(net))
    with pytest.warns(DeviceWarning, match="available"):
        read.__setstate__(state)
    assert (str(read.device), read.amp) == ("cpu", None)
