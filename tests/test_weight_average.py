"""The moving average of the weights that is judged and kept in their place."""

import numpy as np
import pytest
import torch
from torch import nn

from skrnn import RNNRegressor
from skrnn._optimizer import WeightAverage

pytestmark = pytest.mark.filterwarnings("ignore:The loss still fell")


def test_average_follows_its_formula():
    parameters = [
        nn.Parameter(torch.zeros(2, 3, dtype=torch.float64)),
        nn.Parameter(torch.zeros(5, dtype=torch.float64)),
    ]
    average = WeightAverage(parameters, decay=0.8)
    expected = 0.0
    for n_updates in range(1, 60):
        for parameter in parameters:
            parameter.data.fill_(float(n_updates % 7))
        average.update()
        decay = min(0.8, n_updates / (9 + n_updates))  # short memory at first
        expected = decay * expected + (1 - decay) * (n_updates % 7)
    average.swap(averaged=True)
    for parameter in parameters:
        torch.testing.assert_close(parameter.data, torch.full_like(parameter.data, expected), rtol=1e-12, atol=0)


def test_swapping_there_and_back_changes_nothing():
    parameter = nn.Parameter(torch.arange(3.0))
    average = WeightAverage([parameter], decay=0.5)
    parameter.data += 7
    average.update()
    before = parameter.data.clone()
    average.swap(averaged=True)
    average.swap(averaged=True)  # already there
    assert not torch.equal(parameter.data, before)
    average.swap(averaged=False)
    assert torch.equal(parameter.data, before)


def judged(early_stopping, **params):
    rng = np.random.RandomState(0)
    X = rng.randn(70, 5, 2)
    y = X[:, -1, 0] + 0.3 * rng.randn(70)
    net = RNNRegressor("gru", hidden_size=3, max_epochs=7, early_stopping=early_stopping, random_state=0, **params)
    return net.fit(X[:50], y[:50], X_val=X[50:], y_val=y[50:]), X[50:], y[50:]


def test_what_was_judged_is_what_is_kept():
    net, X, y = judged(True)
    best = net.history_["valid_mae"][net.history_["valid_loss"].idxmin()]
    assert np.abs(net.predict(X) - y).mean() == pytest.approx(best, rel=1e-5)


def test_without_early_stopping_the_last_weights_stay():
    net, X, y = judged(False)
    last = net.history_["valid_mae"].iloc[-1]
    assert np.abs(net.predict(X) - y).mean() == pytest.approx(last, rel=1e-5)
    assert net.history_["valid_loss"].iloc[-1] != judged(True)[0].history_["valid_loss"].iloc[-1]


def test_parameter_groups_go_by_name():
    frozen = {"optimizer__param_groups": [("head*", {"lr": 0.0})]}
    net = judged(False, net_params=frozen, lr_schedule=None)[0]
    assert torch.equal(net.net_.module_.head.linear.bias.detach(), torch.zeros(1))
    assert judged(False, lr_schedule=None)[0].net_.module_.head.linear.bias.item() != 0
