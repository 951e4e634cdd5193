"""Simulated recordings of many sets of parameters, as one population in each run of Brian2."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq

from ...core import units
from ...core.errors import FormatError
from ...core.file_limits import Budget
from ...core.parallel import in_processes
from ...core.parameters import Scalars
from ...core.results import damaged, digest, read_npz, write_npz
from ...core.warn import warn
from ...io.provenance import provenance
from ...models.parameter_names import replaced
from ...models.stimuli import Recorded
from ..calibration.free_parameters import FreeParameters
from ..continuous.conditional import Parts
from .statistics import Statistics

_MOST_MEMBERS = 20_000
_MOST_BYTES = 2**29
_PER_MEMBER, _PER_SPIKE = 400, 120  # bytes, as in a sweep
Report = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Runs:
    """Statistics of recordings simulated with given parameters."""

    free: FreeParameters
    statistics: Statistics
    n_steps: int
    dt: float
    rate: float  # Hz, of the recorded spikes; for the memory of a run
    seed: int
    engine: str
    n_jobs: int = 1
    out: Path | None = None

    @property
    def n_trials(self) -> int:
        """Trials of a recording."""
        return len(self.statistics.first)

    def __call__(
        self, points: np.ndarray, n_simulations: int, numbers: Sequence[int], report: Report = lambda _: None
    ) -> np.ndarray:
        """Statistics (n, n_simulations, n_statistics) of recordings at points (n, K), 0 to 1; `report` gets numbers of recordings.

        Points of one of the `numbers`, (n,), have the same noise (common random numbers)."""
        checksum = "" if self.out is None else self._made_of(points, n_simulations, numbers)
        known = self._kept(checksum, (len(points), n_simulations, len(self.statistics.names)))
        if known is not None:
            report(len(points) * n_simulations)
            return known
        chunks = np.array_split(np.arange(len(points)), self._n_chunks(len(points), n_simulations))
        tasks = [(points[rows], n_simulations, [numbers[int(k)] for k in rows]) for rows in chunks]
        parts: dict[int, np.ndarray] = {}
        many = self.n_jobs > 1 and len(tasks) > 1
        done = in_processes(replace(self, out=None).simulated, tasks, self.n_jobs) if many else None
        for k, part in done or ((k, self.simulated(*task)) for k, task in enumerate(tasks)):
            parts[k] = part
            report(len(part) * n_simulations)
        result = np.concatenate([parts[k] for k in range(len(tasks))])
        if self.out is not None:
            write_npz(self._file(checksum), {"statistics": result}, {"made_of": checksum}, "out")
        return result

    def _n_chunks(self, n: int, n_simulations: int) -> int:
        members = n_simulations * self.n_trials
        duration = self.n_steps * self.dt
        each = members * (_PER_MEMBER + _PER_SPIKE * 2 * self.rate * duration) + 8 * self.n_steps
        largest = max(1, int(min(_MOST_BYTES / each, _MOST_MEMBERS / members)))
        return max(-(-n // largest), min(self.n_jobs, n))

    def simulated(self, points: np.ndarray, n_simulations: int, numbers: Sequence[int]) -> np.ndarray:
        """As `__call__`, but all points in one run of Brian2, and nothing kept."""
        from ...brian.global_state import frozen_heap, simulation_lock
        from ...brian.simulate import spikes_together

        with simulation_lock(), frozen_heap():
            trains = spikes_together(
                self.stacked(points),
                list(numbers),
                trials=n_simulations * self.n_trials,
                duration=units.pq_quantity(self.n_steps * self.dt, "s"),
                dt=units.pq_quantity(self.dt, "s"),
                seed=self.seed,
                engine=self.engine,
            )
        step = np.rint(trains.times / self.dt).astype(np.int64)
        simulation, trial = np.divmod(trains.trial, self.n_trials)
        group = trains.neuron * n_simulations + simulation
        order = np.lexsort((step, trial, group))
        result = self.statistics.of(step[order], trial[order], group[order], len(points) * n_simulations)
        return result.reshape(len(points), n_simulations, -1)

    def stacked(self, points: np.ndarray) -> Parts:
        """Neuron, noise and stimulus with free parameters as arrays, (n,), of points (n, K)."""
        values, given = self.free.values(points), self.free.parts
        named = {one.path: one.quantity(column) for one, column in zip(self.free.each, values.T, strict=True)}
        stimulus: Any = given[2]
        if isinstance(given[2], Scalars) and any(path.startswith("stimulus.") for path in named):
            made = [self.free.models(row)[2].samples(self.n_steps, self.dt) for row in values]
            # a channel for each neuron
            drive = units.pq_quantity(np.stack(made, axis=1), stimulus.drive_unit)
            stimulus = Recorded(neo.AnalogSignal(drive, sampling_period=self.dt * pq.s))
        else:
            stimulus = replaced(stimulus, "stimulus", named)
        return replaced(given[0], "model", named), replaced(given[1], "noise", named), stimulus

    def _file(self, checksum: str) -> Path:
        assert self.out is not None
        return self.out / f"{checksum[:32]}.npz"

    def _kept(self, checksum: str, shape: tuple[int, ...]) -> np.ndarray | None:
        """What an earlier call has kept, or None; a damaged file is named in a warning."""
        if self.out is None or not os.path.lexists(self._file(checksum)):
            return None
        path, most = self._file(checksum), 4 * 8 * math.prod(shape) + 10**5
        try:
            with damaged(f"{path}: damaged, or not of this calibration", "its simulations run again"):
                arrays, about = read_npz(path, Budget(most, "more than these simulations need"))
                kept = arrays["statistics"]
                if about["made_of"] != checksum or kept.shape != shape or kept.dtype != float:
                    raise ValueError("of other simulations")
        except FormatError as error:
            warn(str(error))
            return None
        return kept

    def _made_of(self, points: np.ndarray, n_simulations: int, numbers: Sequence[int]) -> str:
        """Checksum of all that the statistics depend on."""
        content, arrays = self._content(points)
        plain = {
            **content,
            "steps": [self.n_steps, self.dt],
            "seed": self.seed,
            "simulations": [n_simulations, [int(k) for k in numbers]],
            "versions": provenance()["versions"],
        }
        return digest(plain, np.asarray(points, dtype=float), *arrays)

    def _content(self, points: np.ndarray) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Models and statistics as plain data, and their arrays."""
        free, statistics = self.free, self.statistics
        arrays = [statistics.features]
        if free.parts[2] is not None and free.parts[2].text is None:
            arrays.append(np.asarray(free.parts[2].samples(self.n_steps, self.dt)))
        return {
            "parts": [None if part is None else part.describe() for part in free.parts],
            "free": [free.paths, free.low.tolist(), free.high.tolist()],
            "statistics": [statistics.names, statistics.first.tolist(), statistics.last.tolist()],
        }, arrays
