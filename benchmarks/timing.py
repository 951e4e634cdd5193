"""What the timings share: repeated calls, the time that generated code runs, cases taken in turn, a table.

`python benchmarks/timing.py` prints the machine.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
from brian2 import Network
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from environment import machine

from nsnn_neuro.brian.standalone import Device


@dataclass(frozen=True)
class Sample:
    """One run: seconds of the steps alone, seconds of the complete call, spikes per neuron and second with its standard error."""

    loop: float
    call: float
    rate: float
    error: float


def rates(count: np.ndarray, seconds: float) -> tuple[float, float]:
    """Mean rate in Hz of neurons that fired `count` times each in `seconds`, and its standard error."""
    each = np.asarray(count, dtype=float) / seconds
    return float(each.mean()), float(each.std(ddof=1) / np.sqrt(each.size)) if each.size > 1 else float("nan")


@contextlib.contextmanager
def loops() -> Iterator[list[float]]:
    """Seconds that each run inside the block spends on its steps: of Brian2's Network between its preparations and its end, and of
    a standalone program what it says of its steps itself. Compiling, making synapses and writing results are outside.
    """
    seconds: list[float] = []
    begun: list[float] = []
    before, after, standalone = Network.before_run, Network.after_run, CPPStandaloneDevice.run
    program = Device._run_program

    def before_run(network: Network, namespace: Any) -> None:
        before(network, namespace)
        begun.append(time.perf_counter())

    def after_run(network: Network) -> None:
        if begun:
            seconds.append(time.perf_counter() - begun.pop())
        after(network)

    def run(device: CPPStandaloneDevice, *args: Any, **kwargs: Any) -> None:
        begun.clear()
        standalone(device, *args, **kwargs)
        seconds[:] = [float(device._last_run_time)]

    def run_program(device: Device, *args: Any, **kwargs: Any) -> None:
        begun.clear()
        program(device, *args, **kwargs)
        seconds[:] = [float(device._last_run_time)]

    with (
        mock.patch.object(Network, "before_run", before_run),
        mock.patch.object(Network, "after_run", after_run),
        mock.patch.object(CPPStandaloneDevice, "run", run),
        mock.patch.object(Device, "_run_program", run_program),
    ):
        yield seconds


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `call` returns, the seconds of its steps and of the complete call: of the call for both without a run of Brian2's."""
    with loops() as seconds:
        begun = time.perf_counter()
        result = call()
        complete = time.perf_counter() - begun
    return result, (seconds[-1] if seconds else complete), complete


def seconds_of(call: Callable[[], Any], repeats: int, *, warm: bool = True) -> tuple[float, ...]:
    """Wall seconds of each of `repeats` calls, after one that compiles."""
    if warm:
        call()
    out = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        out.append(time.perf_counter() - begun)
    return tuple(out)


def in_turn(cases: Mapping[str, Callable[[int], Sample]], repeats: int) -> dict[str, list[Sample]]:
    """Run every case `repeats` times, seeds 1, 2, ..., in turn, every second round backwards, so that a drift meets all alike."""
    samples: dict[str, list[Sample]] = {name: [] for name in cases}
    for repeat in range(repeats):
        for name in list(cases)[:: -1 if repeat % 2 else 1]:
            samples[name].append(cases[name](repeat + 1))
    return samples


def spread(values: Sequence[float]) -> str:
    """Median (least - most), of three digits."""
    return f"{np.median(values):.3g} ({min(values):.3g}-{max(values):.3g})"


def pooled(samples: Sequence[Sample]) -> tuple[float, float]:
    """Rate and standard error over independent runs."""
    error = np.sqrt(np.sum([s.error**2 for s in samples])) / len(samples)
    return float(np.mean([s.rate for s in samples])), float(error)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell."""
    wide = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * w for w in wide], *rows]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, wide, strict=True)).rstrip() for line in lines
    )


def main() -> None:
    """Print the machine."""
    print(machine())


if __name__ == "__main__":
    main()
