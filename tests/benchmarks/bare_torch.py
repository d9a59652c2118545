"""The bare loop that fits are measured against: torch's own cell, a linear head, Adam, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from workloads import Workload, windows

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
PREDICTION_BATCH = 128


class BareNet(nn.Module):
    """torch's own layers, and a linear head on the final state of the last one, of both directions where it has two."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.recurrence = CELLS[workload.cell](
            1, workload.hidden_size, workload.n_layers, batch_first=True, bidirectional=workload.bidirectional
        )
        self.head = nn.Linear(workload.n_directions * workload.hidden_size, 1)
        self.n_directions = workload.n_directions

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.recurrence(x)
        h = state[0] if isinstance(state, tuple) else state  # (layers * directions, batch, hidden)
        final = h[-self.n_directions :].transpose(0, 1).flatten(1)  # (batch, directions * hidden)
        return self.head(final)  # (batch, 1)


class BareTorch:
    """Trains in float32 from one dense block of windows, on as many threads as torch takes by default."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        X, y = windows(workload.n_rows, workload.window)
        self.inputs = torch.from_numpy(np.ascontiguousarray(X))  # (n_rows, window, 1)
        self.targets = torch.from_numpy(y)[:, None]

    def fitting(self, epochs: int) -> Callable[[], object]:
        """What is timed."""
        return lambda: self.fit(epochs)

    def fit(self, epochs: int) -> BareNet:
        """Train a new net."""
        net, loss = BareNet(self.workload), nn.MSELoss()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        for _ in range(epochs):
            for rows in torch.randperm(len(self.inputs)).split(self.workload.batch_size):
                optimizer.zero_grad()
                loss(net(self.inputs[rows]), self.targets[rows]).backward()
                optimizer.step()
        return net

    def predicting(self) -> Callable[[], np.ndarray]:
        """What is timed of prediction: all rows in batches of `PREDICTION_BATCH`."""
        net = BareNet(self.workload).eval()
        return lambda: self.predict(net)

    def predict(self, net: BareNet) -> np.ndarray:
        """Predictions of all rows, (n_rows, 1)."""
        with torch.no_grad():
            return torch.cat([net(x) for x in self.inputs.split(PREDICTION_BATCH)]).numpy()

    def describe(self) -> dict[str, object]:
        """Threads."""
        return {"threads": torch.get_num_threads()}
