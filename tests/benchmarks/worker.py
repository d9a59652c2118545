"""A process in which one package trains and predicts, told what to do line by line; idle while others have their turn.

`Worker` starts it, in any Python environment. Thread pools, pinned dependencies and peak memory are then its own.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from memory import memory_in_use, peak_memory
from workloads import Workload

# by name: the module and class, imported in the worker only
PACKAGES = {
    "skrnn": ("estimator", "Estimator"),
    "torch": ("bare_torch", "BareTorch"),
    "limit": ("limit", "Limit"),
    "mlp": ("one_row", "MLP"),
    "skrnn one row": ("one_row", "OneRow"),
    "keras": ("peers", "Keras"),
    "darts": ("peers", "Darts"),
    "neuralforecast": ("peers", "NeuralForecast"),
    "skforecast": ("peers", "Skforecast"),
}


class Failed(Exception):
    """A worker could not do what it was told; says why."""


class Worker:
    """One package in a process of its own.

    Parameters
    ----------
    package : str
        A key of `PACKAGES`.
    python : str
        The interpreter to run it with.
    without_numba : bool
        Let `import numba` fail there.
    variables : dict of str to str
        Put into its environment.
    """

    def __init__(
        self,
        package: str,
        python: str = sys.executable,
        *,
        without_numba: bool = False,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        arguments = [python, __file__, package, *(["--without-numba"] if without_numba else [])]
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **variables},
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def ask(self, what: str, **arguments: Any) -> Any:
        """Send a request and wait for the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"what": what, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failed("its process has ended") from None
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"its process ended with status {self._process.wait()}")
        answer = json.loads(line)
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer["result"]

    def prepare(self, workload: Workload, **params: Any) -> dict[str, Any]:
        """Import the package and make the data of a workload; `params` go to the class. Returns its description."""
        return self.ask("prepare", workload=asdict(workload), params=params)

    def fit(self, epochs: int) -> float:
        """Seconds of a fit."""
        return self.ask("fit", epochs=epochs)

    def predict(self, times: int = 1) -> float:
        """Seconds of a prediction of all rows: the median of so many."""
        return self.ask("predict", times=times)

    def peak_memory(self) -> float:
        """The most bytes that the process ever had in memory."""
        return self.ask("peak_memory")

    def memory_in_use(self) -> float:
        """Bytes that the process has in memory now."""
        return self.ask("memory_in_use")


class Requests:
    """The worker's side: a method for each request."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.subject: Any = None

    def prepare(self, workload: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """See `Worker.prepare`."""
        module, name = PACKAGES[self.package]
        self.subject = getattr(importlib.import_module(module), name)(Workload(**workload), **params)
        return self.subject.describe()

    def fit(self, epochs: int) -> float:
        """See `Worker.fit`."""
        fit = self.subject.fitting(epochs)
        start = time.perf_counter()
        fit()
        return time.perf_counter() - start

    def predict(self, times: int) -> float:
        """See `Worker.predict`."""
        predict = self.subject.predicting()
        predict()  # what only the first one pays for
        seconds = []
        for _ in range(times):
            start = time.perf_counter()
            predict()
            seconds.append(time.perf_counter() - start)
        return sorted(seconds)[times // 2]

    def peak_memory(self) -> float:
        """See `Worker.peak_memory`."""
        return peak_memory()

    def memory_in_use(self) -> float:
        """See `Worker.memory_in_use`."""
        return memory_in_use()


def main() -> None:
    """Answer requests until there are no more."""
    if "--without-numba" in sys.argv:
        sys.modules["numba"] = None  # type: ignore[assignment]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what packages print is no answer
    requests = Requests(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": getattr(requests, request.pop("what"))(**request)}
        except Exception as error:  # whatever a package raises is told, and the others go on
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
