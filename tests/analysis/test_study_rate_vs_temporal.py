"""Rate and timing: that each claim can fail, the sabotages, the recording's part with and without it, and its arithmetic."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.studies import assert_each_can_fail, changed, failing

from analysis import rate_vs_temporal as study
from analysis.rate_vs_temporal import simulation, verdicts
from analysis.shared import frozen_stimuli
from analysis.shared import recordings as _recordings


def small(**values):
    config = study.Config(quick=True)
    for name, value in {"seeds": 2, "together": 2, "trials": 40, "sigmas": (0.5, 8.0), **values}.items():
        object.__setattr__(config, name, value)
    return config


def test_shuffled_times_keep_the_counts():
    whole, spoilt = (list(simulation.answers(small(sabotage=s), range(2))) for s in ("", "times shuffled"))
    assert len(whole) == 2 * 2 * 2
    for a, b in zip(whole, spoilt, strict=True):
        assert (a.seed, a.tau, a.sigma) == (b.seed, b.tau, b.sigma)
        np.testing.assert_array_equal(a.trains.counts, b.trains.counts)
        assert not np.array_equal(a.trains.times, b.trains.times)
        for cell in (a, b):
            assert (cell.trains.times >= 0).all()
            assert (cell.trains.times < 0.024).all()
            same = np.diff(cell.trains.trial) == 0
            assert (np.diff(cell.trains.times)[same] >= 0).all()


def test_responses_belong_to_their_stimulus_labels():
    """With next to no noise every trial of a stimulus is that of the neuron simulated by itself."""
    config = small(sigmas=(1e-6,), taus=(8e-3,), trials=3)
    for cell in simulation.answers(config, range(2)):
        for trial, label in enumerate(cell.labels):
            drive = simulation.stimulus(config, cell.seed, 8e-3, int(label))
            v, held, spikes = 0.0, 0, []
            for k, value in enumerate(drive):
                v = v if held > 0 else value + (v - value) * np.exp(-frozen_stimuli.DT / frozen_stimuli.TAU_M)
                held -= 1
                if v >= 20 and held <= 0:
                    spikes.append(k)
                    v, held = 0.0, round(frozen_stimuli.REFRACTORY / frozen_stimuli.DT)
            expected = np.array([k for k in spikes if k * frozen_stimuli.DT >= frozen_stimuli.LEAD - 1e-9])
            got = cell.trains.times[cell.trains.trial == trial] + frozen_stimuli.LEAD
            assert got.size == expected.size
            assert (
                np.abs(got / frozen_stimuli.DT - expected) < 2.5
            ).all()  # how a step counts is the simulator's own


@pytest.mark.slow
def test_every_stimulus_causes_the_same_membrane_sd():
    """The free membrane's standard deviation over many paths, at the end of a window of twenty time constants."""
    config = small()
    object.__setattr__(config, "window", 0.2)
    for tau in (2e-3, 32e-3):
        ends = []
        for number in range(100):
            v = 0.0
            for value in simulation.stimulus(config, 0, tau, number)[-1000:]:
                v += (value - config.mean - v) * -np.expm1(-frozen_stimuli.DT / frozen_stimuli.TAU_M)
            ends.append(v)
        assert np.std(ends) == pytest.approx(config.amplitude, abs=4 * config.amplitude / np.sqrt(200))


def made_up(seeds=4):
    """A table in which each central claim holds, with a recording."""
    rows = []
    for seed in range(seeds):
        for tau, share in ((2e-3, 1.0), (32e-3, 0.5)):
            for sigma in (0.5, 2.0, 8.0):
                same = {"part": "LIF", "group": seed, "tau": tau, "sigma": sigma, "se": 0.01}
                count, extra = 0.8 / sigma, share * {0.5: 1.0, 2.0: 0.4, 8.0: 0.02}[sigma] + 0.002 * seed
                rows.append(same | {"code": "count", "x": 0.024, "value": count})
                rows.append(same | {"code": "spikes", "x": 0.024, "value": 1.5})
                for x, part in ((0.004, 1.0), (0.008, 0.6), (0.012, 0.5)):
                    rows.append(same | {"code": "words", "x": x, "value": count + part * extra})
                    rows.append(same | {"code": "latency", "x": x, "value": count + 0.3 * part * extra})
                for q in (0.0, 100.0, 400.0, 1600.0, 6400.0):
                    top = count + extra * (q > 0)
                    rows.append(same | {"code": "distance", "x": q, "value": top / (1 + q * sigma / 3000)})
    for setting, gamma in zip(_recordings.CORTICAL, (0.85, 0.7, 0.8, 0.3, 0.1, 0.05, 0.9, 0.01), strict=True):
        same = {"part": "cortex", "setting": setting, "sigma": 100.0}
        rows.append(same | {"code": "reliability", "x": 2e-3, "value": gamma})
        rows += [
            same
            | {"code": "distance", "group": g, "x": q, "value": 0.5 + gamma * (q > 0) + 0.01 * g * (q > 0)}
            for g in range(4)
            for q in (0.0, 100.0)
        ]
    return pd.DataFrame(rows, columns=simulation.COLUMNS)


def shifted(table, by, where):
    return changed(table, "value", lambda value: value + by, **where)


BROKEN = {
    "words at the finest resolution carry more": (-1.2, {"code": "words", "tau": 2e-3, "sigma": 0.5}),
    "the surplus falls with noise": (0.8, {"code": "words", "tau": 32e-3, "sigma": 2.0}),
    "at the largest noise the surplus": (0.06, {"code": "words", "tau": 2e-3, "sigma": 8.0}),
    "surplus is larger for the fastest": (0.6, {"code": "words", "tau": 32e-3, "sigma": 0.5}),
    "lost half of their information": (2.0, {"code": "distance", "tau": 2e-3, "sigma": 2.0, "x": 6400.0}),
}


@pytest.mark.slow
def test_each_claim_can_fail():
    table = made_up()
    assert all(claim.holds for claim in study.claims(table) if claim.text.startswith("recorded"))
    assert_each_can_fail(study, table, {words: shifted(table, *change) for words, change in BROKEN.items()})
    no_timing = shifted(table, -1.0, {"part": "cortex", "code": "distance", "x": 100.0, "setting": "11"})
    assert sum(text.startswith("recorded") for text in failing(study, no_timing)) >= 2
    alone = table[table.part == "LIF"]
    assert not any(claim.text.startswith("recorded") for claim in study.claims(alone))
    assert len(study.figures(alone)) == 2


def test_the_required_resolution_and_the_cost_at_which_half_is_lost():
    table = made_up()
    assert verdicts.required_resolution(table, 2e-3, 0.5) == 0.004
    flat = shifted(table, 10.0, {"code": "words", "tau": 2e-3, "sigma": 0.5})
    assert verdicts.required_resolution(flat, 2e-3, 0.5) == 0.012
    costs = np.array([0.0, 100.0, 200.0, 400.0])
    for values, expected in (
        ((0.5, 1.0, 0.8, 0.2), 200 * 2**0.5),
        ((0.5, 1.0, 0.8, 0.6), 400),  # never
        ((1.0, 0.2, 0.1, 0.1), 50 * 2 ** (0.5 / 0.8)),  # 0 stands for 50
    ):
        assert verdicts.half_cost(costs, np.array(values)) == pytest.approx(expected)
