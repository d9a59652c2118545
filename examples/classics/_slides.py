"""Training as on the slides: raw values in, the output times 100, SGD with momentum.

The slides end a net in ``Dense(1)`` and ``Lambda(lambda x: x * 100)``, so that small weights reach the level of the
series. The nets here are the part before the Lambda: they learn y / 100, and `predict` times 100 is the forecast. The
losses take both sides times 100 again, so that every gradient, and with it every learning rate, is that of the slides.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from skrnn import RNNRegressor


class HundredfoldHuber(nn.HuberLoss):
    """``tf.keras.losses.Huber()`` behind ``Lambda(lambda x: x * 100)``."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """Return the loss of each element."""
        return super().forward(100 * y_pred, 100 * y_true)


class HundredfoldSquare(nn.MSELoss):
    """``loss="mse"`` behind ``Lambda(lambda x: x * 100)``."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """Return the loss of each element."""
        return super().forward(100 * y_pred, 100 * y_true)


def slides_net(cell: str, **settings: Any) -> RNNRegressor:
    """Return a net that learns y / 100 as on the slides; `settings` name what differs from slide to slide."""
    return RNNRegressor(
        cell,
        standardize=False,  # raw values in ...
        window_scaling=None,  # ... whatever the level of the window
        optimizer="sgd",
        net_params={"optimizer__momentum": 0.9},
        batch_size=32,
        lr_schedule=None,
        gradient_clip=None,
        early_stopping=False,
        **settings,
    )
