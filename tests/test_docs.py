"""What the documentation shows is run: its Python blocks, and the models that a reader would write after them."""

from __future__ import annotations

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

import nsnn_neuro as nsnn
from nsnn_neuro.core import warn

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


# ends of calls that would compile
CALLS = {
    "your_own": "duration=500*ms, seed=1\n)",
    "architectures": "dt=1*ms, seed=1\n)",
    "sweep": 'out="rates"\n)',
    "robustness": "validation=0, seed=1\n)",
}


def blocks(name: str) -> list[str]:
    """The Python blocks of a page, which compile nothing but those on engines and likelihood."""
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    if name in CALLS:
        assert CALLS[name] in text
        text = text.replace(CALLS[name], CALLS[name][:-2] + ', engine="numpy")')
    return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """All names that the tutorial's blocks define, in a file of one's own."""
    path = tmp_path_factory.mktemp("own") / "my_models.py"
    path.write_text("\n\n".join(blocks("your_own")))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))
        yield vars(importlib.import_module("my_models"))
        del sys.modules["my_models"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere_and_tables_have_their_columns(page):
    """A row of dashes with another number of cells than the head isn't a table to most readers."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    # by docs/site/content.py; names of functions
    made = re.compile(r"tutorials/index\.md|verdicts\.md|benchmarks\.md|#.*")
    links = [link for link in links if not made.fullmatch(link)]
    assert not [link for link in links if not (page.parent / link.split("#")[0]).exists()]
    for head, dashes in itertools.pairwise(text.splitlines()):
        if re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", dashes):
            assert len(re.findall(r"(?<!\\)\|", head)) == dashes.count("|"), head


def test_sections_that_warnings_name_are_on_their_pages():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "nsnn_neuro").rglob("*.py"))
    named = set(re.findall(r"\{(TRUST|FIT_RIGHT)\}([a-z -]+)", source))
    assert len(named) > 8
    for page, section in named:
        text = (ROOT / "docs" / f"{page.lower()}.md").read_text(encoding="utf-8")
        title, *headings = re.findall(r"^##? (.+)", text, re.M)
        assert f'"{title}"' in getattr(warn, page)
        assert section.capitalize() in headings


@pytest.mark.slow
def test_the_tutorials_neuron_rings(written):
    """Its noiseless subthreshold response to a step is the linear system's, and overshoots; with noise it fires."""
    assert sum(len(t) for t in written["block"].segments[0].spiketrains) > 50
    membrane = {
        "tau_m": 10 * ms,
        "v_rest": 0 * mV,
        "v_reset": 0 * mV,
        "v_thresh": 100 * mV,
        "tau_refrac": 2 * ms,
    }
    cell = written["ResonateAndFire"](**membrane, tau_w=40 * ms, a=1.0)
    run = {"duration": 200 * ms, "dt": 0.02 * ms, "engine": "numpy", "record_v": True}
    block = nsnn.simulate(cell, stimulus=nsnn.Constant(10 * mV), **run)
    v = block.segments[0].analogsignals[0].rescale("mV").magnitude[::50, 0]

    def slopes(t, y):
        return [(10 - y[0] - y[1]) / 10, (y[0] - y[1]) / 40]

    exact = solve_ivp(slopes, (0, 199), [0, 0], t_eval=np.arange(200), rtol=1e-9, atol=1e-9).y[0]
    np.testing.assert_allclose(v, exact, atol=0.02)  # w takes steps of first order
    assert v.max() > 1.1 * v[-1]


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
@pytest.mark.parametrize(
    ("page", "printed"),
    [
        ("information", "correction panzeri-treves; se jackknife over samples"),
        ("architectures", "(8, 1, 3, 3)"),
        ("sweep", "firing_rate"),
        ("robustness", "correction none"),
        ("which_fit", "bits_per_spike"),
    ],
)
def test_the_code_of_a_page_runs(page, printed, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for text in blocks(page):
        exec(compile(text, f"{page}.md", "exec"), names)
    assert printed in capsys.readouterr().out


@pytest.mark.slow
def test_the_page_on_likelihood_runs():
    """Held-out scores are above a constant probability's, and the true kind of model isn't refuted."""
    pages = blocks("likelihood")
    text, choosing, switching, coupled, calibrating, elsewhere, correlated, synapses = pages
    names: dict[str, Any] = {}
    exec(compile(text, "likelihood.md", "exec"), names)
    half = {"t_start": names["half"]}
    one, two = (names[name].score(names["spikes"], names["signal"], **half) for name in ("fit", "network"))
    assert one.value > two.value > 0
    chosen: dict[str, Any] = {}
    exec(compile(choosing, "likelihood.md", "exec"), chosen)
    assert chosen["choice"].best["stimulus"] == 4
    exec(compile(switching, "likelihood.md", "exec"), names)
    assert names["choice"].best == {"n_states": 2}
    exec(compile(coupled, "likelihood.md", "exec"), names)
    assert names["population"].coupling_p()[1, 0] < 1e-6
    exec(compile(calibrating, "likelihood.md", "exec"), names)
    fit = names["calibrated"]
    assert abs(fit.parameters["noise.sigma"] - 3e-3) < 3 * fit.se["noise.sigma"]
    exec(compile(elsewhere, "likelihood.md", "exec"), names)
    assert [len(names[name].segments) for name in ("predicted", "response")] == [20, 20]
    exec(compile(correlated, "likelihood.md", "exec"), names)
    assert names["coloured"].log_likelihood > names["white"].log_likelihood + 10
    exec(compile(synapses, "likelihood.md", "exec"), names)
    fit = names["fitted"]
    assert abs(fit.parameters["input.weight"] - 12e-3) < 3 * fit.se["input.weight"]


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
    exec("\n".join(blocks("engine")), names)
    assert names["block"].segments[0].spiketrains[0].size > 0
    assert len(calls.read_text().split()) <= 1
