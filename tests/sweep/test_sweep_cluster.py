"""Sweeps and other calls on a Dask cluster of two workers: the table of one process. Skipped without `distributed`."""

from __future__ import annotations

import os
import signal
import socket
import sys

import pandas as pd
import pytest
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.core.cluster import on_cluster
from nsnn_neuro.measures import cv, firing_rate

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
GRID = {"noise.sigma": [2 * mV, 4 * mV], "mu": [15.0, 18.0, 21.0]}


def swept(**options) -> pd.DataFrame:
    run = {"trials": 2, "duration": 100 * ms, "dt": 0.2 * ms, "seed": [1, 2], "engine": "numpy", "chunk": 2}
    drive = lambda point: nsnn.Constant(point["mu"] * mV)  # noqa: E731
    return nsnn.sweep(
        CELL, GRID, noise=nsnn.WhiteNoise(3 * mV), stimulus=drive, measures=[firing_rate, cv], **run | options
    )


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster,
        distributed.Client(cluster, set_as_default=False) as one,
    ):
        yield one


@pytest.mark.slow
def test_two_workers_give_the_table_of_one_process(client, tmp_path) -> None:
    """By a client, by an address, and into a folder that one process then finds finished."""
    table = swept()
    assert table["value"].nunique() > 6
    pd.testing.assert_frame_equal(swept(scheduler=client), table, check_exact=True)
    address = client.scheduler.address
    pd.testing.assert_frame_equal(swept(scheduler=address, out=tmp_path / "out"), table, check_exact=True)
    ran: list[float] = []
    again = swept(out=tmp_path / "out", progress=ran.append)
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    assert ran == []


@pytest.mark.slow
def test_any_function_runs_on_workers_one_of_which_dies(client, tmp_path) -> None:
    """At its first call point 2 kills the worker, which then also lacks what was sent to it."""
    trace = tmp_path / "killed"

    def function(a: int) -> dict[str, int]:
        if a == 2 and not trace.exists():
            trace.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"square": a * a}

    table = nsnn.run_many(function, {"a": range(6)}, scheduler=client, out=tmp_path / "out")
    assert trace.exists()
    assert table["square"].tolist() == [0, 1, 4, 9, 16, 25]


@pytest.mark.slow
def test_the_certificate_of_workers_is_that_of_one_process(client) -> None:
    here, there = (
        nsnn.certify("TsodyksMarkram", **where) for where in ({"n_jobs": 1}, {"scheduler": client})
    )
    assert len(here) > 1
    pd.testing.assert_frame_equal(there, here, check_exact=True)


@pytest.mark.slow
def test_workers_with_other_software_are_refused(client, monkeypatch) -> None:
    true = nsnn.provenance()
    monkeypatch.setattr(
        sys.modules["nsnn_neuro.sweep.endings"], "provenance", lambda: {**true, "git_revision": "abc"}
    )
    with pytest.raises(NsnnError, match="a worker has other software"):
        swept(scheduler=client)


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_refused() -> None:
    pytest.importorskip("distributed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for given, words in (
        (3, "scheduler = 3: expected the address of a running Dask scheduler"),
        ("tcp://127.0.0.1:99999", "no Dask scheduler answers at 127"),
        ("slurm", r"scheduler = 'slurm' is no address: .*dask-jobqueue"),
        (
            f"tcp://127.0.0.1:{port}",
            rf"no Dask scheduler answers at 127\.0\.0\.1, port {port} \(Connection refused\)",
        ),
    ):
        with pytest.raises(NsnnError, match=words):
            next(on_cluster(max, [], given))
