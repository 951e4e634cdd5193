"""Sweeps on a Dask cluster whose parts are killed: the table is that of an undisturbed sweep. Skipped without `distributed`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import killed_sweep
from helpers.killed_sweep import HELD, POINTS, swept

from nsnn_neuro import NsnnError

ROOT = Path(__file__).resolve().parents[2]
_PATHS = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
_PATIENCE = 300  # s, after which something hangs


class Sweep:
    """The script in a process of its own, with its cluster, and folders for its results and notes."""

    def __init__(self, folder: Path, deaths: dict[int, int], n_points: int, **options: str) -> None:
        self.out, self.notes, self._log = folder / "out", folder / "notes", folder / "log"
        self.notes.mkdir()
        words = (self.out, self.notes, json.dumps(deaths), n_points)
        self._command = [sys.executable, killed_sweep.__file__, *map(str, words)]
        self._environment = {
            **os.environ,
            "PYTHONPATH": _PATHS,
            "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "forkserver",
            **{f"DASK_DISTRIBUTED__SCHEDULER__{key.upper()}": value for key, value in options.items()},
        }

    def start(self) -> None:
        given = {"env": self._environment, "start_new_session": True}
        with self._log.open("a") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, **given)

    def chunks(self) -> list[Path]:
        return list(self.out.glob("chunk-*.json"))

    def workers(self, killed: Collection[int] = ()) -> list[int]:
        """Processes that have measured a point, and live. (One that is killed before it has joined is not replaced by Dask.)

        killed : processes that are left out, as one that has been killed is there until its parent notices
        """
        numbers = sorted(int(path.name) for path in self.notes.iterdir() if path.name.isdigit())
        without = {self.process.pid, *killed}
        return [number for number in numbers if number not in without and lives(number)]

    def wait(self, condition: Callable[[], object]) -> None:
        """Until `condition` holds, in a sweep that goes on."""
        end = time.monotonic() + _PATIENCE
        while not condition():
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.01)

    def finish(self) -> None:
        assert self.process.wait(_PATIENCE) == 0, self._log.read_text()

    def kill(self) -> None:
        """The process with the scheduler, and nothing else: its workers must end by themselves."""
        orphans = self.workers()
        self.process.kill()
        self.process.wait()
        end = time.monotonic() + _PATIENCE
        while any(map(lives, orphans)):
            assert time.monotonic() < end
            time.sleep(0.01)


def lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def sweep_in(tmp_path: Path) -> Iterator[Callable[..., Sweep]]:
    """Makes a sweep; at the end of the test all of its processes are gone."""
    pytest.importorskip("distributed")
    made: list[Sweep] = []

    def make(*size: Any, **options: str) -> Sweep:
        made.append(Sweep(tmp_path, *size, **options))
        return made[0]

    yield make
    for sweep in made:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(sweep.process.pid, signal.SIGKILL)
        sweep.process.wait()


@pytest.mark.slow
def test_workers_and_the_scheduler_are_killed_and_the_table_is_that_of_an_undisturbed_sweep(
    sweep_in, tmp_path
) -> None:
    """Victims and moments are random. The scheduler lives in the process that sweeps: both are killed and started again.

    The last points wait until all have been killed, so that the sweep does not end before.
    """
    rng = np.random.default_rng(1)
    moments = np.sort(rng.integers(0, POINTS - HELD, 5))  # numbers of finished chunks
    scheduler_at = int(rng.integers(1, 4))
    sweep = sweep_in({}, POINTS)
    (sweep.notes / "hold").touch()
    sweep.start()
    killed = []
    for k, moment in enumerate(moments):
        sweep.wait(lambda moment=moment: len(sweep.chunks()) >= moment or (sweep.notes / "waits").exists())
        time.sleep(rng.uniform(0, 0.2))
        if k == scheduler_at:
            sweep.kill()
            sweep.start()
        else:
            sweep.wait(lambda: sweep.workers(killed))
            killed.append(int(rng.choice(sweep.workers(killed))))
            os.kill(killed[-1], signal.SIGKILL)
    assert len(sweep.chunks()) < POINTS
    (sweep.notes / "go").touch()
    sweep.finish()
    assert len(set(killed)) == 4
    swept(tmp_path / "undisturbed", sweep.notes, {})
    assert (sweep.out / "table.csv").read_bytes() == (tmp_path / "undisturbed" / "table.csv").read_bytes()
    points = [
        one["point"] for path in sweep.chunks() for one in json.loads(path.read_text())["chunk"]["points"]
    ]
    assert sorted(points) == list(range(POINTS))
    assert json.loads((sweep.out / "errors.json").read_text()) == []


@pytest.mark.slow
def test_a_chunk_is_given_up_when_workers_died_in_each_of_its_three_runs(sweep_in) -> None:
    """Dask gives it up at the second death with allowed-failures 1. Point 5 kills three workers, point 6 as many as it gets.

    Dask counts a death against every chunk that the worker was given. With a saturation of 1 that is one, after the first four.
    """
    sweep = sweep_in({5: 3, 6: 99}, 8, allowed_failures="1", worker_saturation="1.0")
    sweep.start()
    sweep.finish()
    errors = json.loads((sweep.out / "errors.json").read_text())
    assert [one["point"] for one in errors] == [6]
    assert errors[0]["error"].startswith("KilledWorker: ")
    first, second = (len(list(sweep.notes.glob(f"death-{point}-*"))) for point in (5, 6))
    assert first == 3
    assert 4 <= second <= 6  # a worker may die before the chunk that it was given begins


@pytest.mark.slow
def test_without_its_scheduler_a_sweep_ends_with_an_error_and_no_point_has_failed(tmp_path) -> None:
    """No worker is there, so that all points wait when the scheduler is killed."""
    distributed = pytest.importorskip("distributed")
    file, out = tmp_path / "scheduler.json", tmp_path / "out"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    command += ["--no-dashboard", "--scheduler-file", str(file)]
    paths = os.environ | {"PYTHONPATH": _PATHS}  # the scheduler, too, reads what is to run
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=paths) as scheduler:

        def kill() -> None:
            end = time.monotonic() + _PATIENCE
            while not (out / "manifest.json").exists() and time.monotonic() < end:
                time.sleep(0.05)
            time.sleep(1)
            scheduler.kill()

        while not file.exists():
            assert scheduler.poll() is None
            time.sleep(0.05)
        with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
            killer = threading.Thread(target=kill)
            killer.start()
            with pytest.raises(
                NsnnError, match=r"the connection to it was lost .*repeat the call; with out=FOLDER"
            ):
                swept(out, tmp_path, {}, n_points=2, chunk=1, scheduler=client)
            killer.join()
    assert not list(out.glob("chunk-*"))
