"""Other packages that train the same nets. Each class is used in a process, and may be in an environment, of its own.

Everything that a class imports and prepares in its constructor is not timed; `fitting` returns what is. `differs` says
in a sentence what each package does otherwise.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from machine import version_or_none
from workloads import Workload, series, windows

LR = 0.01


class NotOffered(Exception):
    """The package has no such net."""


class Peer:
    """What is common to all: a workload, and what is said about the package."""

    packages: tuple[str, ...] = ()
    differs = ""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload

    def fitting(self, epochs: int) -> Callable[[], object]:
        """What is timed: a fit of so many epochs."""
        raise NotImplementedError

    def describe(self) -> dict[str, object]:
        """Versions, and what differs."""
        versions = [(name, version_or_none(name)) for name in self.packages]
        installed = ", ".join(f"{name} {number}" for name, number in versions if number != "none")
        return {"threads": "its default", "versions": installed, "differs": self.differs}


def keras_net(workload: Workload, *, with_steps: bool) -> Any:
    """Compiled Keras model on tensorflow, from (window, 1) to one output, or to (1, 1) for `with_steps`."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.utils.set_random_seed(0)
    cell = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[workload.cell]
    inputs = keras.Input((workload.window, 1), name="series_input")  # names that skforecast looks for
    x = inputs
    for i in range(workload.n_layers):
        layer = cell(workload.hidden_size, return_sequences=i < workload.n_layers - 1)
        x = keras.layers.Bidirectional(layer)(x) if workload.bidirectional else layer(x)
    x = keras.layers.Dense(1, name="output_dense_td_layer")(x)
    if with_steps:
        x = keras.layers.Reshape((1, 1))(x)
    net = keras.Model(inputs, x)
    net.compile(optimizer=keras.optimizers.Adam(LR), loss="mse")
    return net


class Keras(Peer):
    """Keras 3 on tensorflow."""

    packages = ("keras", "tensorflow", "tensorflow-cpu")
    differs = "the model is traced once and goes on training in each fit; one bias where torch has two (not GRU)"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        X, y = windows(workload.n_rows, workload.window)
        self.X, self.y = np.ascontiguousarray(X), y[:, None]
        self.net = keras_net(workload, with_steps=False)

    def fitting(self, epochs: int) -> Callable[[], object]:
        """What is timed."""
        return lambda: self.net.fit(self.X, self.y, batch_size=self.workload.batch_size, epochs=epochs, verbose=0)


class Skforecast(Peer):
    """skforecast's ForecasterRnn, which trains a Keras model."""

    packages = ("skforecast", "keras", "tensorflow", "tensorflow-cpu")
    differs = "the same Keras model; fit also builds the windows and predicts all training rows for its residuals"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        net = keras_net(workload, with_steps=True)
        import pandas as pd
        from skforecast.deep_learning import ForecasterRnn

        warnings.simplefilter("ignore")
        self.series = pd.DataFrame({"y": series(workload.n_rows + workload.window)})
        self.forecaster = ForecasterRnn(
            levels=["y"],
            lags=workload.window,
            estimator=net,
            transformer_series=None,
            fit_kwargs={"batch_size": workload.batch_size, "verbose": 0},
        )

    def fitting(self, epochs: int) -> Callable[[], object]:
        """What is timed."""
        self.forecaster.fit_kwargs["epochs"] = epochs
        return lambda: self.forecaster.fit(self.series)


class Darts(Peer):
    """darts' BlockRNNModel: torch's cells trained by Lightning."""

    packages = ("darts", "torch", "pytorch-lightning")
    differs = "the head reads the last output; windows are cut from the series one by one in a data loader"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        if workload.bidirectional:
            raise NotOffered("no bidirectional cells")
        quiet_lightning()
        from darts import TimeSeries
        from darts.models import BlockRNNModel

        self.model_class = BlockRNNModel
        self.series = TimeSeries.from_values(series(workload.n_rows + workload.window))

    def fitting(self, epochs: int) -> Callable[[], object]:
        """What is timed."""
        model = self.model_class(
            input_chunk_length=self.workload.window,
            output_chunk_length=1,
            model=self.workload.cell.upper(),
            hidden_dim=self.workload.hidden_size,
            n_rnn_layers=self.workload.n_layers,
            batch_size=self.workload.batch_size,
            n_epochs=epochs,
            optimizer_kwargs={"lr": LR},
            random_state=0,
            pl_trainer_kwargs=TRAINER,
        )
        return lambda: model.fit(self.series, verbose=False)


class NeuralForecast(Peer):
    """neuralforecast's RNN, LSTM and GRU: torch's cells trained by Lightning."""

    packages = ("neuralforecast", "torch", "pytorch-lightning")
    differs = (
        "as many batches of the same size, but each draws its windows anew from all of them, which it builds first"
    )

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        if workload.bidirectional:
            raise NotOffered("no bidirectional cells")
        quiet_lightning()
        import pandas as pd
        from neuralforecast import NeuralForecast as Forecaster
        from neuralforecast import models
        from neuralforecast.losses.pytorch import MSE

        self.forecaster_class, self.loss_class = Forecaster, MSE
        self.model_class = getattr(models, workload.cell.upper())
        values = series(workload.n_rows + workload.window)
        self.table = pd.DataFrame({"unique_id": 0, "ds": np.arange(len(values)), "y": values})

    def fitting(self, epochs: int) -> Callable[[], object]:
        """What is timed."""
        model = self.model_class(
            h=1,
            input_size=self.workload.window,
            encoder_hidden_size=self.workload.hidden_size,
            encoder_n_layers=self.workload.n_layers,
            decoder_layers=1,  # a linear head
            loss=self.loss_class(),
            learning_rate=LR,
            windows_batch_size=self.workload.batch_size,
            max_steps=epochs * self.workload.n_batches,
            scaler_type="identity",
            **TRAINER,
        )
        forecaster = self.forecaster_class(models=[model], freq=1)
        return lambda: forecaster.fit(self.table)


# Lightning without what nobody asked for
TRAINER = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}


def quiet_lightning() -> None:
    """Silence what Lightning says about devices and data loaders."""
    warnings.simplefilter("ignore")
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "darts"):
        logging.getLogger(name).setLevel(logging.ERROR)
