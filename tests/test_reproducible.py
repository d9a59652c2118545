"""One `random_state` decides a fit bit for bit, in any process or thread, and nothing global is touched."""

import threading

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from skorch.callbacks import Callback

from skrnn import RNNRegressor
from skrnn._runtime import draw_seed, in_worker, seeded_initialisation, thread_count, torch_threads

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")  # nets of few epochs

SMALL = {"cell": "gru", "hidden_size": 3, "max_epochs": 3, "n_layers": 2, "dropout": 0.3, "batch_size": 7}


def data(n_samples=40):
    X = np.random.RandomState(0).randn(n_samples, 5, 2)
    return X, X[:, -1, 0]


def model_of(seed=0, **params):
    """Everything random at once: initial weights, order, dropout, and the rows held out."""
    return RNNRegressor(**SMALL | params, early_stopping=True, random_state=seed)


def fit_and_predict(model, X, y, global_seed=None):
    if global_seed is not None:
        np.random.seed(global_seed)  # noqa: NPY002
        torch.manual_seed(global_seed)
    return clone(model).fit(X, y).predict(X)


class Threads(Callback):
    """Writes into history how many threads torch trains with."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("threads", torch.get_num_threads())


def threads_of_a_large_net(set_to=None):
    """Of a net that would use more than one, where torch is set to `set_to` threads; and whether it is a worker."""
    if set_to is not None:
        torch.set_num_threads(set_to)
    X, y = data(10)
    model = RNNRegressor(**SMALL | {"hidden_size": 1024, "max_epochs": 1, "n_iter_no_change": 1}, kernel="torch")
    model.set_params(net_params={"callbacks": [Threads()]}, random_state=0)
    return model.fit(X, y).history_["threads"].tolist(), in_worker()


@pytest.fixture
def global_generators():
    """Put back what a test does to the global generators."""
    states = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    yield
    np.random.set_state(states[0])  # noqa: NPY002
    torch.set_rng_state(states[1])


def test_a_seed_decides_everything():
    X, y = data()
    expected = model_of().fit(X, y).predict(X)
    np.testing.assert_array_equal(model_of().fit(X, y).predict(X), expected)
    assert not np.array_equal(model_of(seed=1).fit(X, y).predict(X), expected)
    first, second = (model_of(seed=None).fit(X, y).predict(X) for _ in range(2))
    assert not np.array_equal(first, second)


def test_random_state_objects():
    X, y = data()
    first, second = (model_of(np.random.RandomState(3)).fit(X, y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    shared = np.random.RandomState(3)
    first, second = (model_of(shared).fit(X, y).predict(X) for _ in range(2))
    assert not np.array_equal(first, second)  # it moves on, as everywhere in scikit-learn


@pytest.mark.parametrize("seed", [0, None])
def test_global_generators_are_neither_read_nor_touched(seed, global_generators):
    X, y = data()
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    model_of(seed).fit(X, y).predict(X)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    predictions = [fit_and_predict(model_of(seed), X, y, global_seed) for global_seed in (1, 2, 1)]
    if seed is None:
        assert not np.array_equal(predictions[0], predictions[2])  # drawn from the operating system
    else:
        np.testing.assert_array_equal(predictions[0], predictions[1])


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_give_the_same_bits(backend, global_generators):
    X, y = data()
    models = [model_of(seed, cell=cell) for seed in (0, 1, 2) for cell in ("rnn", "lstm")]
    expected = [fit_and_predict(model, X, y) for model in models]
    got = Parallel(n_jobs=2, backend=backend)(
        delayed(fit_and_predict)(model, X, y, seed if backend == "loky" else None) for seed, model in enumerate(models)
    )
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_many_fits_in_threads(global_generators):
    """Initialisations at the same time may not share a generator."""
    X, y = data(10)
    models = [model_of(seed, max_epochs=1, n_iter_no_change=1) for seed in range(5)] * 8
    expected = [fit_and_predict(model, X, y) for model in models[:5]] * 8
    state = torch.get_rng_state()
    got = Parallel(n_jobs=8, backend="threading")(delayed(fit_and_predict)(model, X, y) for model in models)
    np.testing.assert_array_equal(np.array(got), np.array(expected))
    assert torch.equal(torch.get_rng_state(), state)


def test_worker_processes_use_one_torch_thread():
    for n_threads, worker in Parallel(n_jobs=2)(delayed(threads_of_a_large_net)(3) for _ in range(3)):
        assert n_threads == [1]
        assert worker


def test_worker_threads_use_one_torch_thread():
    with torch_threads(3):
        of_threads = Parallel(n_jobs=2, backend="threading")(delayed(threads_of_a_large_net)() for _ in range(3))
    assert all(worker for _, worker in of_threads)
    assert {n_threads[0] for n_threads, _ in of_threads} == {1}


def test_the_main_process_uses_torchs_threads_for_large_nets():
    with torch_threads(2):
        assert threads_of_a_large_net() == ([2], False)


def test_main_process_is_no_worker():
    assert not in_worker()
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert thread_count(None, 128 * 64) == before + 1
        assert thread_count(None, 32 * 8) == 1  # small steps gain nothing from the second
        with pytest.raises(KeyError), torch_threads(1):
            raise KeyError
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_fit_and_predict_leave_torchs_threads_as_they_were():
    X, y = data()
    before = torch.get_num_threads()
    with torch_threads(2):
        model_of().fit(X, y).predict(X)
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_seeded_initialisation_restores_the_global_state_and_excludes_others():
    state, drawn, inside = torch.get_rng_state(), [], []

    def draw():
        with seeded_initialisation(5):
            inside.append(1)
            assert len(inside) == 1
            drawn.append(float(torch.rand(())))
            inside.pop()

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == 1
    assert len(drawn) == 8
    assert torch.equal(torch.get_rng_state(), state)


def test_draw_seed():
    assert draw_seed(5) == draw_seed(5) != draw_seed(6)
    assert len({draw_seed(None) for _ in range(20)}) > 15
    with pytest.raises(ValueError, match="cannot be used to seed"):
        draw_seed("text")


def test_memory_layout_and_form_of_the_input_do_not_matter():
    X, y = data()
    expected = model_of().fit(X, y).predict(X)
    for other in (np.asfortranarray(X), list(X), X.tolist()):
        np.testing.assert_array_equal(model_of().fit(other, y).predict(X), expected)
    np.testing.assert_array_equal(model_of().fit(X, y.tolist()).predict(X), expected)


EVERY_OPTION = [
    {"loss": "quantile"},
    {"loss": torch.nn.SmoothL1Loss, "pooling": "attention", "layer_norm": True},
    {"conv_channels": 3, "patch_size": 2, "input_dropout": 0.3},
    {"n_nets": 3},
    {"validate_every": 2, "lr_schedule": "warmup_cosine"},
    {"return_sequences": True},
]


def data_for(params):
    X, y = data()
    return (X, np.random.RandomState(1).randn(40, 5)) if "return_sequences" in params else (X, y)


@pytest.mark.parametrize("params", EVERY_OPTION, ids=str)
def test_a_seed_decides_everything_of_every_option(params, global_generators):
    X, y = data_for(params)
    before = torch.get_rng_state()
    expected = model_of(**params).fit(X, y).predict(X)
    np.testing.assert_array_equal(fit_and_predict(model_of(**params), X, y, global_seed=5), expected)
    assert not np.array_equal(model_of(seed=1, **params).fit(X, y).predict(X), expected)
    torch.set_rng_state(before)
    streamed = [model_of(**params).partial_fit(X, y).partial_fit(X[:9], y[:9]).predict(X) for _ in range(2)]
    np.testing.assert_array_equal(*streamed)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_give_the_same_bits_with_every_option(backend, global_generators):
    expected = [fit_and_predict(model_of(**params), *data_for(params)) for params in EVERY_OPTION]
    got = Parallel(n_jobs=2, backend=backend)(
        delayed(fit_and_predict)(model_of(**params), *data_for(params)) for params in EVERY_OPTION
    )
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_first_of_several_nets_is_that_of_one_net():
    X, y = data()
    one, three = model_of().fit(X, y), model_of(n_nets=3).fit(X, y)
    vectors = [torch.nn.utils.parameters_to_vector(net.module_.parameters()) for net in three.nets_]
    assert torch.equal(vectors[0], torch.nn.utils.parameters_to_vector(one.net_.module_.parameters()))
    assert not any(torch.equal(vectors[i], vectors[j]) for i, j in [(0, 1), (0, 2), (1, 2)])
    rows = three.history_[three.history_["net"] == 0].drop(columns=["net", "seconds"])
    assert rows.equals(one.history_.drop(columns="seconds"))


def test_predictions_of_an_ensemble_do_not_depend_on_the_rows_beside():
    X, y = data()
    model = model_of(n_nets=2, dtype="float64").fit(X, y)
    mean, std = model.predict(X, return_std=True)
    some = model.predict(X[3:8], return_std=True)
    np.testing.assert_allclose(some[0], mean[3:8], rtol=1e-12)
    np.testing.assert_allclose(some[1], std[3:8], rtol=1e-9)
