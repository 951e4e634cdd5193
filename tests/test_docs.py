"""What the documentation shows is run: its Python blocks, and the records that a reader would write after them."""

from __future__ import annotations

import ast
import importlib
import itertools
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import ms, mV
from scipy.integrate import solve_ivp
from scipy.signal import correlate2d

import nsnn_neuro as nsnn

ROOT = Path(__file__).resolve().parent.parent
YOUR_OWN = ROOT / "docs" / "your_own.md"


def blocks(path: Path) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """All names that the tutorial's blocks define, in a file of one's own."""
    path = tmp_path_factory.mktemp("own") / "my_models.py"
    path.write_text("\n\n".join(blocks(YOUR_OWN)).replace("seed=1)", 'seed=1, engine="numpy")'))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))
        yield vars(importlib.import_module("my_models"))
        del sys.modules["my_models"]


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere_and_tables_have_their_columns(page):
    """A row of dashes with another number of cells than the head isn't a table to most readers."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    made = re.compile(
        r"tutorials/\w+\.md|verdicts\.md|benchmarks\.md"
    )  # by docs/site/hooks.py, when the site is built
    links = [link for link in links if not made.fullmatch(link)]
    assert not [link for link in links if not (page.parent / link.split("#")[0]).exists()]
    lines = text.splitlines()
    for head, dashes in itertools.pairwise(lines):
        if re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", dashes):
            assert len(re.findall(r"(?<!\\)\|", head)) == dashes.count("|"), head


@pytest.mark.slow
def test_the_tutorials_neuron_rings(written):
    """Its noiseless subthreshold response to a step is the linear system's, and overshoots; with noise it fires."""
    assert sum(len(t) for t in written["block"].segments[0].spiketrains) > 50
    cell = written["ResonateAndFire"](
        tau_m=10 * ms,
        v_rest=0 * mV,
        v_reset=0 * mV,
        v_thresh=100 * mV,
        tau_refrac=2 * ms,
        tau_w=40 * ms,
        a=1.0,
    )
    block = nsnn.simulate(
        cell, stimulus=nsnn.Constant(10 * mV), duration=200 * ms, dt=0.02 * ms, engine="numpy", record_v=True
    )
    v = block.segments[0].analogsignals[0].rescale("mV").magnitude[::50, 0]
    exact = solve_ivp(
        lambda t, y: [(10 - y[0] - y[1]) / 10, (y[0] - y[1]) / 40],
        (0, 199),
        [0, 0],
        t_eval=np.arange(200),
        rtol=1e-9,
        atol=1e-9,
    ).y[0]
    np.testing.assert_allclose(v, exact, atol=0.02)  # w takes steps of first order
    assert v.max() > 1.1 * v[-1]


@pytest.mark.slow
def test_the_tutorials_noise_has_its_amplitude(written):
    """slope is the derivative of amplitude, and far from v_zero the noise is white noise of strength sigma width."""
    noise = written["Saturating"](0.5, 0.0, width=2.0, calculus="ito")
    names = {"v_zero": 0.0, "width": 2.0, "tanh": np.tanh}
    v = np.linspace(-4, 4, 9)
    b = [eval(noise.amplitude, {"v": v + h, **names}) for h in (-1e-6, 1e-6)]
    np.testing.assert_allclose((b[1] - b[0]) / 2e-6, eval(noise.slope, {"v": v, **names}), atol=1e-8)
    cell = nsnn.LIF(tau_m=10 * ms, v_rest=50.0, v_reset=0.0, v_thresh=1e3, tau_refrac=0 * ms)
    run = {"n_neurons": 3, "duration": 100 * ms, "seed": 1, "engine": "numpy", "record_v": True}
    one = nsnn.simulate(cell, noise, **run).segments[0].analogsignals[0].magnitude
    two = nsnn.simulate(cell, nsnn.WhiteNoise(1.0), **run).segments[0].analogsignals[0].magnitude
    np.testing.assert_allclose(one, two, atol=1e-9)
    assert one.std() > 0.5


def test_the_tutorials_synapse_is_two_exponentials(written):
    source = nsnn.Population(1, nsnn.Relay(), stimulus=nsnn.Step(1.0, 1 * ms, 1.1 * ms), name="source")
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=100 * mV, tau_refrac=0 * ms)
    target = nsnn.Population(1, cell, name="target")
    synapse = written["TwoExponentials"](1 * ms, 5 * ms)
    wire = nsnn.Projection(source, target, rule=nsnn.OneToOne(), weight=6 * mV, synapse=synapse)
    net = nsnn.Network([source, target], [wire])
    block = nsnn.simulate(net, duration=40 * ms, seed=1, engine="numpy", record_v={"target": [0]})
    v = block.segments[0].analogsignals[-1].rescale("mV").magnitude[11:, 0]
    t = 0.1 * np.arange(v.size)
    exact = sum(
        sign * 6 * ts / (20 - ts) * (np.exp(-t / 20) - np.exp(-t / ts)) for sign, ts in ((1, 5.0), (-1, 1.0))
    )
    np.testing.assert_allclose(v, exact, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_the_page_on_information_runs(capsys):
    names: dict[str, Any] = {}
    for text in blocks(ROOT / "docs" / "information.md"):
        exec(compile(text, "information.md", "exec"), names)
    corrected, chosen, plan, compared, *table = capsys.readouterr().out.splitlines()
    assert "bit over the null (raw " in corrected
    assert "correction panzeri-treves; se jackknife over samples" in corrected
    assert "chosen because" in chosen
    assert "trials" in plan
    assert "has the smallest root-mean-square error on simulated data like these" in compared
    assert {row.split()[0] for row in table[1:]} >= {"plugin", "panzeri-treves", "nsb"}


@pytest.mark.slow
def test_the_page_on_architectures_runs(capsys):
    """The channel that is given a detector of edges fires where they are."""
    (text,) = blocks(ROOT / "docs" / "architectures.md")
    names: dict[str, Any] = {}
    exec(
        compile(
            text.replace("seed=1)\ncounts", 'seed=1, engine="numpy")\ncounts'), "architectures.md", "exec"
        ),
        names,
    )
    assert capsys.readouterr().out.startswith("(8, 1, 3, 3)")
    edges = correlate2d(names["pixels"].reshape(8, 8), [[-1, 0, 1]] * 3, mode="same").clip(0)
    assert np.corrcoef(names["counts"], edges.ravel())[0, 1] > 0.8


@pytest.mark.slow
def test_the_page_on_sweeps_runs(capsys, tmp_path, monkeypatch):
    """More noise, more irregular; more drive, more spikes."""
    monkeypatch.chdir(tmp_path)
    (text,) = blocks(ROOT / "docs" / "sweep.md")
    names: dict[str, Any] = {}
    exec(compile(text.replace('out="rates"', 'out="rates", engine="numpy"'), "sweep.md", "exec"), names)
    assert "firing_rate" in capsys.readouterr().out
    table = names["table"]
    rate, cv = (
        table[table["measure"] == one].groupby("point")["value"].mean() for one in ("firing_rate", "cv")
    )
    assert rate[0] < rate[1] < rate[2]
    assert cv[5] > cv[2]
    assert (tmp_path / "rates" / "table.csv").exists()


@pytest.mark.slow
def test_the_page_on_robustness_runs(capsys):
    """Noise and coarse weights cost accuracy, the unsure are wrong more often; manifolds are learned from times."""
    for text in blocks(ROOT / "docs" / "robustness.md"):
        quick = text.replace("validation=0, seed=1)", 'validation=0, seed=1, engine="numpy")')
        assert 'engine="numpy"' in quick
        exec(compile(quick, "robustness.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    accuracy = [ast.literal_eval(line[line.index("{") :])["accuracy"] for line in lines if "{" in line]
    clean, some, much, fine, coarse, coarsest, manifolds = accuracy
    assert clean > 0.9
    assert clean > some > much
    assert abs(fine - clean) < 0.02
    assert fine > coarse > coarsest
    assert "correction none" in lines[6]
    half, most, every = (float(number) for number in lines[7].strip("[]").split())
    assert half >= most > every
    assert manifolds > 0.85


@pytest.mark.slow
def test_the_page_on_likelihood_runs(capsys):
    """Held-out scores are above a constant probability's, and the true kind of model isn't refuted."""
    text, choosing, coupled, calibrating, elsewhere = blocks(ROOT / "docs" / "likelihood.md")
    names: dict[str, Any] = {}
    exec(compile(text, "likelihood.md", "exec"), names)
    assert len(capsys.readouterr().out.splitlines()) == 4
    half = {"t_start": names["half"]}
    one, two = (names[name].score(names["spikes"], names["signal"], **half) for name in ("fit", "network"))
    assert one.value > two.value > 0
    assert names["fit"].rescaled(names["spikes"], names["signal"], **half).p > 0.01
    chosen: dict[str, Any] = {}
    exec(compile(choosing, "likelihood.md", "exec"), chosen)
    table = chosen["choice"].table
    assert chosen["choice"].best["stimulus"] == 4
    assert table.behind[0] > 4 * table.behind_se[0]
    exec(compile(coupled, "likelihood.md", "exec"), names)
    p = names["population"].coupling_p()
    assert p[1, 0] < 1e-6
    assert np.nanmin(np.where([[True] * 3, [False, True, True], [True] * 3], p, 1.0)) > 1e-3
    assert np.argmax(names["filters"][1, 0]) == 1
    exec(compile(calibrating, "likelihood.md", "exec"), names)
    fit = names["calibrated"]
    assert abs(fit.parameters["noise.sigma"] - 3e-3) < 3 * fit.se["noise.sigma"]
    assert fit.score(names["block"], t_start=2 * names["second"]).value > 0
    exec(compile(elsewhere, "likelihood.md", "exec"), names)
    assert [len(names[name].segments) for name in ("predicted", "response")] == [20, 20]
    assert all(float(s.spiketrains[0].t_stop.rescale("s")) == 1.0 for s in names["predicted"].segments)
    times = np.concatenate([s.spiketrains[0].rescale("ms").magnitude for s in names["response"].segments])
    assert ((times > 100) & (times < 420)).mean() > 0.9


@pytest.mark.slow
def test_the_page_on_choosing_a_fit_runs(capsys):
    """The true kind of model is not behind, and at the ceilings within its errors."""
    (text,) = blocks(ROOT / "docs" / "which_fit.md")
    names: dict[str, Any] = {}
    exec(compile(text, "which_fit.md", "exec"), names)
    assert "bits_per_spike" in capsys.readouterr().out
    table = names["table"].set_index(["model", "score"])
    assert table.value["LIF", "bits_behind"] == 0
    for score in ("md_star", "psth_correlation_normalised"):
        assert abs(table.value["LIF", score] - 1) < 4 * np.hypot(table.se["LIF", score], 0.03)


@pytest.mark.slow
@pytest.mark.compile
def test_the_page_on_engines_compiles_once(monkeypatch, tmp_path):
    """Counts the calls of `make`, by a script of that name in front of it on the path."""
    calls, script = tmp_path / "calls", tmp_path / "make"
    calls.touch()
    script.write_text(f'#!/bin/sh\necho call >> "{calls}"\nexec "{shutil.which("make")}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    names: dict[str, Any] = {}
    exec("\n".join(blocks(ROOT / "docs" / "engine.md")), names)
    assert names["block"].segments[0].spiketrains[0].size > 0
    assert len(calls.read_text().split()) <= 1
