"""The progress bar: when it is shown, in a terminal and in a notebook, and the fractions that a function receives.

Not public: a bar appears after a second, for which the tests do not wait.
"""

from __future__ import annotations

import io
import sys
import time
import types

import pytest
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.core import progress
from nsnn_neuro.core.progress import progress_bar

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(**given):
    drive = nsnn.Constant(15 * mV)
    return nsnn.simulate(CELL, None, drive, duration=20 * ms, dt=1 * ms, seed=1, engine="numpy", **given)


def sweep(**given):
    grid = {"stimulus.v": [15 * mV, 18 * mV]}
    return nsnn.sweep(
        CELL, grid, stimulus=nsnn.Constant(1 * mV), measures=nsnn.measures.firing_rate, duration=20 * ms, dt=1 * ms, seed=1,
        chunk=1, engine="numpy", **given,
    )  # fmt: skip


CALLS = {
    "simulate": ("simulating", run),
    "sweep": ("sweep", sweep),
    "certify": ("certifying", lambda **given: nsnn.certify("PoissonSource", n_jobs=1, **given)),
}


@pytest.fixture(autouse=True)
def outside_ci_without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(progress, "DELAY", 0.0)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process looks like a Jupyter kernel, without ipywidgets."""
    shell = type("ZMQInteractiveShell", (), {"kernel": object()})()
    ipython = types.ModuleType("IPython")
    monkeypatch.setattr(ipython, "get_ipython", lambda: shell, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", types.ModuleType("ipykernel.zmqshell"))
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # type: ignore[arg-type]
    for name in ("tqdm.auto", "tqdm.autonotebook", "tqdm.notebook"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_a_bar_shows_in_a_terminal_unless_it_is_ci(call, monkeypatch) -> None:
    title, function = CALLS[call]
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    function()
    assert title in terminal.getvalue()
    monkeypatch.setattr(sys, "stderr", silent := Terminal())
    monkeypatch.setenv("CI", "true")
    function()
    monkeypatch.delenv("CI")
    function(progress=False)
    assert silent.getvalue() == ""


def test_a_bar_shows_in_a_notebook_whose_stderr_is_no_terminal(kernel, monkeypatch, recwarn) -> None:
    monkeypatch.setattr(sys, "stderr", cell := io.StringIO())
    run()
    assert "simulating" in cell.getvalue()
    assert not [one for one in recwarn if "ipywidgets" in str(one.message)]


def test_no_bar_shows_where_stderr_is_a_file_unless_asked_for(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    run()
    assert file.getvalue() == ""
    run(progress=True)
    assert "simulating" in file.getvalue()


def test_a_short_run_shows_no_bar(monkeypatch) -> None:
    monkeypatch.undo()
    monkeypatch.delenv("CI", raising=False)
    run(progress=False)  # Numba has compiled
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    run()
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("call", ["simulate", pytest.param("sweep", marks=pytest.mark.slow), "certify"])
def test_a_function_gets_growing_fractions_up_to_one(call) -> None:
    fractions: list[float] = []
    CALLS[call][1](progress=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize("call", CALLS)
def test_anything_else_is_refused(call) -> None:
    for value in (1, "yes"):
        with pytest.raises(
            NsnnError, match=f"progress = {value!r}: expected None, True, False or a function"
        ):
            CALLS[call][1](progress=value)


def test_the_bar_counts_in_its_unit_from_what_was_done_before(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress_bar(None, "sweep", 8, unit="point", initial=4) as report:
        assert report
        for done in (5.9, 8):
            time.sleep(0.11)  # the bar is drawn ten times a second at most
            report(done / 8)
    assert [count in terminal.getvalue() for count in ("4/8", "5/8", "8/8")] == [True, True, True]


def test_the_outermost_bar_decides_what_is_announced(monkeypatch) -> None:
    """Once per bar; without a bar once per process, where a terminal is."""
    monkeypatch.setattr(progress, "_OUTSIDE", set())
    monkeypatch.setattr(progress, "_outermost", type("Fresh", (), {"lines": progress._OUTSIDE})())
    monkeypatch.setattr(sys, "stderr", file := Terminal())
    for outer, inner in [(True, False), (False, True), (None, False), (False, print)]:
        with progress_bar(outer, "sweep"):
            for _ in range(2):
                with progress_bar(inner, "simulating"):
                    progress.announce(f"{outer}, {inner}")
    with progress.announcing(), progress_bar(False, "simulating"):
        progress.announce("True: a study")
    for _ in range(2):
        progress.announce("outside")
    monkeypatch.setenv("CI", "true")
    progress.announce("in CI")
    lines = [
        line
        for line in file.getvalue().replace("\r", "\n").splitlines()
        if line[:4] in ("True", "Fals", "None", "outs", "in C")
    ]
    assert lines == ["True, False", "None, False", "True: a study", "outside"]


def test_numba_announces_its_first_compilation(monkeypatch) -> None:
    from nsnn_neuro.core.numba_jit import njit

    monkeypatch.setattr(sys, "stderr", file := Terminal())
    with progress_bar(True, "measuring"):
        assert njit(lambda x: x + 1)(1) == 2
    assert file.getvalue().count("compiling functions (once, a few seconds)") == 1
    with progress_bar(False, "measuring"):
        assert njit(lambda x: x + 2)(1) == 3
    assert file.getvalue().count("compiling") == 1
