"""Stochastic resonance: that each claim can fail, its sabotages and its arithmetic."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.studies import assert_each_can_fail, changed, failing
from scipy import stats

from analysis import stochastic_resonance as study
from analysis.stochastic_resonance import simulation, verdicts
from nsnn_neuro import theory

SIGMAS = np.geomspace(0.1, 2, 9)


def made_up():
    """A table in which every claim holds: values that are the exact ones, three replicates, small errors."""
    rows, x = [], SIGMAS
    peak = 0.094071 * np.exp(-0.5 * (np.log(x / 0.26837)) ** 2)

    def add(kind, sigma, exact, **more):
        rows.append({"kind": kind, "sigma": sigma, "exact": exact, **more})

    def simulated(sigma, exact, **more):
        for k in (-1, 0, 1):
            add("simulated", sigma, exact, replicate=k, se=1e-3, value=exact + 1e-4 * k, **more)

    for part in ("unit", "LIF"):
        for signal, bits in (("subthreshold", peak), ("suprathreshold", 1 / (1 + x))):
            same = {"part": part, "signal": signal, "units": 1}
            for s, b in zip(x, bits, strict=True):
                add("curve", s, b, **same)
                simulated(s, b, **same)
        add("best", 0.26837, 0.094071, part=part, signal="subthreshold", units=1)
    for units, (at, most) in {1: (0.088, 0.9), **verdicts.PUBLISHED_POOL}.items():
        same = {"part": "pool", "signal": "Gaussian", "units": units}
        for s in x:
            add("curve", s, 0.9 - 0.1 * s, **same)
        simulated(at, most, **same)
        if units > 1:
            add("best", at, most, **same)
    add("curve", 1.0, 0.278652, part="pool", signal="equal SDs", units=1)
    table = pd.DataFrame(rows, columns=simulation.COLUMNS)
    return table.assign(**{"panzeri treves": table.value})


SIM = {"kind": "simulated"}
WEAK, STRONG = {**SIM, "signal": "subthreshold"}, {**SIM, "signal": "suprathreshold"}
# claim's words -> column, change, rows
BROKEN = {
    "one unit: the exact maximum": ("exact", lambda b: b + 1e-5, {"part": "unit", "kind": "best"}),
    "one unit: simulated and exact": ("value", lambda b: b + 0.004, {"part": "unit", "sigma": SIGMAS[3], **STRONG}),
    "one unit: information about the subthreshold signal is larger": (
        "value", lambda b: b + 0.2, {"part": "unit", "sigma": SIGMAS[8], **WEAK}
    ),
    "one unit: the simulated information has a maximum": (
        "value", lambda b: 0.09 + 0 * b, {"part": "unit", **WEAK}
    ),
    "one unit: information about the control": (
        "exact", lambda b: 0.5 + 0 * b, {"part": "unit", "signal": "suprathreshold", "kind": "curve"}
    ),
    "LIF: simulated and exact": ("value", lambda b: b - 0.004, {"part": "LIF", "sigma": SIGMAS[0], **WEAK}),
    "LIF: information about the subthreshold signal is larger": (
        "value", lambda b: b + 0.2, {"part": "LIF", "sigma": SIGMAS[0], **WEAK}
    ),
    "LIF: information about the control": (
        "value", lambda b: b + 0.5, {"part": "LIF", "sigma": SIGMAS[4], **STRONG}
    ),
    "pool: the exact information equals independent values": (
        "exact", lambda b: b + 1e-3, {"part": "pool", "kind": "best", "units": 8}
    ),
    "pool: simulated and exact": ("value", lambda b: b + 0.004, {"part": "pool", "units": 63, **SIM}),
    "pool: with noise two or more": ("value", lambda b: 0.99 + 0 * b, {"part": "pool", "units": 2, **SIM}),
    "pool: a single unit does not gain from noise": (
        "exact", lambda b: b + 0.2, {"part": "pool", "units": 1, "kind": "curve"}
    ),
}  # fmt: skip


def test_each_claim_can_fail():
    table = made_up()
    broken = {
        words: changed(table, column, change, **rows) for words, (column, change, rows) in BROKEN.items()
    }
    assert_each_can_fail(study, table, broken)
    assert all(type(claim.holds) is bool for claim in study.claims(table))
    # a maximum that is a fifth away from where it should be
    rows = (table.part == "unit") & (table.signal == "subthreshold") & (table.kind == "simulated")
    table.loc[rows, "value"] = 0.094071 * np.exp(-0.5 * (np.log(table.sigma[rows] / 0.32)) ** 2)
    assert any("one unit: the simulated information has a maximum" in text for text in failing(study, table))


@pytest.mark.slow
def test_the_vertex_of_a_noisy_parabola_and_its_error():
    """Against the spread of many draws."""
    rng, x = np.random.default_rng(3), np.array([-2.0, -0.7, 0.1, 1.0, 1.5])
    se = np.array([0.02, 0.01, 0.03, 0.01, 0.02])
    y = 3 - 0.8 * (x - 0.3) ** 2
    at, error, bent = verdicts.vertex(x, y, se)
    assert at == pytest.approx(0.3, abs=1e-12)
    draws = np.array([verdicts.vertex(x, y + se * rng.standard_normal(5), se) for _ in range(4000)])
    assert draws[:, 0].std() == pytest.approx(error, rel=0.05)
    design = np.vander(x, 3)
    curvature = np.array(
        [np.linalg.lstsq(design, y + se * rng.standard_normal(5), rcond=None)[0][0] for _ in range(4000)]
    )
    assert bent == pytest.approx(-0.8 / curvature.std(), rel=0.05)
    assert np.isnan(verdicts.vertex(x, 0 * x, se)).all()


def test_exact_information_of_the_lif_if_one_drive_is_silent():
    """A drive far below threshold never fires: a Z-channel, whose other side is the chance of no spike at all."""
    silent = float(simulation.count_information((18.0, 18.0), 2.0, 0.2)[0])
    assert silent == pytest.approx(0, abs=1e-9)
    got = float(simulation.count_information((-60.0, 18.0), 2.0, 0.2)[0])
    counts = theory.fp_counts(
        0.2, theory.lif_drift(18.0), 2.0, kmax=0, tau_m=0.02, v_spike=20.0, v_reset=0.0, tau_refrac=0.0
    )
    q = float(counts[0])
    assert got == pytest.approx(
        stats.entropy([(1 + q) / 2, (1 - q) / 2], base=2) - stats.entropy([q, 1 - q], base=2) / 2, abs=1e-7
    )


def test_presentations_are_equally_frequent():
    order, trials = simulation.presentation_order(np.arange(32), 160, np.random.default_rng(1))
    assert (np.bincount(order) * trials == 160).all()
    assert order.size <= 640
