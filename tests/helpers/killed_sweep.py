"""A sweep on a Dask cluster of this machine, as a script: its folder, one for notes, the deaths of some points, how many points.

Workers are forked from a process that is ready to simulate, so that a new one takes tenths of a second.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import time
from multiprocessing import forkserver
from pathlib import Path

import pandas as pd
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro.measures import cv, firing_rate

POINTS, HELD = 12, 3  # the last points wait for the file "go" among the notes, where "hold" asks for it
CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)


def noted(block, *, notes: str, deaths: dict[str, int]):
    """The firing rate; a file named by the process. At a point of `deaths` the process kills itself, as often as that says."""
    folder, point = Path(notes), str(block.annotations.get("point", 0))
    (folder / str(os.getpid())).touch()
    if int(point) >= POINTS - HELD and (folder / "hold").exists():
        (folder / "waits").touch()
        while not (folder / "go").exists():
            time.sleep(0.01)
    if len(list(folder.glob(f"death-{point}-*"))) < deaths.get(point, 0):
        (folder / f"death-{point}-{time.time_ns()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return firing_rate(block)


def swept(
    out: Path | None, notes: Path, deaths: dict[str, int], n_points: int = POINTS, **options
) -> pd.DataFrame:
    rate = functools.partial(noted, notes=str(notes), deaths=deaths)
    return nsnn.sweep(
        CELL, {"stimulus.v": [(15 + 0.5 * k) * mV for k in range(n_points)]}, noise=nsnn.WhiteNoise(3 * mV),
        stimulus=nsnn.Constant(0 * mV), measures={"rate": rate, "cv": cv}, trials=4, duration=200 * ms, dt=0.2 * ms, seed=1,
        engine="numpy", out=out, progress=False, **options,
    )  # fmt: skip


if __name__ == "__main__":
    import distributed

    forkserver.set_forkserver_preload(["distributed", "helpers.warm_workers"])
    forkserver.ensure_running()
    given = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        swept(*given, chunk=1, scheduler=client)
