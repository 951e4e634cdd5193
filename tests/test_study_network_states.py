"""The states of a network: each claim can fail, each sabotage is noticed, the study's own counting against loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from brian2 import second
from quick_runs import quick_table

from analysis import network_states as study
from analysis.harness import ClaimFailed
from nsnn_neuro import measures, to_block


@pytest.fixture(scope="module")
def table():
    return quick_table(study)


@pytest.mark.slow
def test_a_quick_run_verifies_and_survives_a_file(table, tmp_path):
    study.verify(table)
    table.to_csv(tmp_path / "table.csv", index=False)
    again = pd.read_csv(tmp_path / "table.csv")
    assert study.claims(again) == study.claims(table)
    assert study.summary(again).state.tolist() == list(study.STATES)
    assert len(study.plot(again).get_axes()) == 8 + 4
    assert study.headline(again) == study.headline(table)


# sabotage -> states that show it, and the claim that fails
NOTICED = {
    "synapses cut": (("AI", "SI slow"), "the rate is within"),
    "spike times jittered": (("SI fast",), "SI fast: irregular neurons"),
    "one inhibition": (("SI fast",), "SI fast: irregular neurons"),
}


@pytest.mark.slow
@pytest.mark.parametrize("sabotage", study.SABOTAGES)
def test_a_sabotaged_run_fails(sabotage):
    """A quick run of the states that show it first."""
    states, words = NOTICED[sabotage]
    with pytest.raises(ClaimFailed, match=words):
        study.verify(study.run(study.Config(quick=True, sabotage=sabotage, states=states)))


def made_up():
    """Three networks of each state, numbers as published or plausible."""
    typical = {
        "SR": (332.0, 327.0, 0.01, 0.03, 2000.0, 333.0, 0.25),
        "AI": (37.9, 37.95, 0.6, 0.4, 130.0, 120.0, 0.01),
        "SI fast": (60.7, 55.8, 0.9, 0.85, 800.0, 180.0, 0.06),
        "SI slow": (5.6, 6.5, 0.5, 0.9, 230.0, 23.0, 0.05),
    }
    rows = []
    for state, (rate, mean_field, cv, fano, population, peak, correlation) in typical.items():
        for network in range(3):
            off = 1 + 0.001 * (network - 1)
            rows.append(
                {
                    "part": "state", "state": state, "network": network, "g": 1.0, "eta": 1.0, "neurons": 12_500,
                    "epsilon": 0.1, "rate": rate * off, "mean field": mean_field, "cv": cv * off, "mean field cv": 0.7,
                    "fano": fano * off, "population fano": population * off, "peak": peak,
                }
            )  # fmt: skip
            rows += [
                {
                    "part": "correlation",
                    "state": state,
                    "network": network,
                    "x": w,
                    "value": correlation * off,
                }
                for w in study.WINDOWS
            ]
    return pd.DataFrame(rows)


# a claim's words -> state, column (or window of the correlation), factor that breaks it
BROKEN = {
    "AI: the rate is within 5 %": ("AI", "rate", 1.06),
    "AI: irregular": ("AI", "cv", 0.4),
    "AI: the CV is within": ("AI", "mean field cv", 2.0),
    "SR: the population's Fano": ("SR", "population fano", 0.05),
    "SR: pairs": ("SR", 1e-3, 0.01),
    "SI fast: the population's Fano": ("SI fast", "population fano", 0.1),
    "SI fast: pairs": ("SI fast", 1e-3, 0.1),
    "SI slow: the population's Fano": ("SI slow", "population fano", 0.1),
    "SI slow: pairs": ("SI slow", 10e-3, 0.1),
    "SR: regular and fast": ("SR", "peak", 2.0),
    "SI fast: irregular neurons": ("SI fast", "rate", 1.6),
    "SI slow: neurons at": ("SI slow", "peak", 0.3),
    "further off in each": ("SR", "mean field", 332 / 327),
    "within 15 % of the published": ("SI slow", "rate", 1.2),
}


def test_every_claim_has_a_breaker_and_holds_on_numbers_as_published():
    found = study.claims(made_up())
    assert all(claim.holds is True for claim in found), [c for c in found if not c.holds]
    assert len(found) == len(BROKEN)
    assert sum(claim.central for claim in found) == 11
    for words in BROKEN:
        assert sum(words in claim.text for claim in found) == 1


@pytest.mark.parametrize("words", BROKEN)
def test_a_wrong_number_fails_the_claim(words):
    state, column, factor = BROKEN[words]
    table = made_up()
    if isinstance(column, float):
        table.loc[(table.state == state) & (table.x == column), "value"] *= factor
    else:
        table.loc[(table.state == state) & (table.part == "state"), column] *= factor
    (claim,) = [claim for claim in study.claims(table) if words in claim.text]
    assert claim.holds is False
    if claim.central:
        with pytest.raises(ClaimFailed, match=words):
            study.verify(table)


@pytest.mark.parametrize("change", [{"cv": 30.0}, {"rate": 0.8}, {"rate": 0.2, "peak": 0.2}, {"fano": 30.0}])
def test_each_part_of_the_regular_states_claim_counts(change):
    table = made_up()
    for column, factor in change.items():
        table.loc[table.state == "SR", column] *= factor
    with pytest.raises(ClaimFailed, match="SR: regular and fast"):
        study.verify(table)


def test_the_tolerance_of_the_rate_is_the_share_of_common_input():
    table = made_up()
    table.loc[table.state == "AI", "rate"] *= 1.08
    with pytest.raises(ClaimFailed, match="within 5 %"):
        study.verify(table)
    table["epsilon"] = table.epsilon * 2
    study.verify(table)
    assert not any("published" in claim.text for claim in study.claims(table))


def test_a_table_of_some_states_claims_what_it_can():
    table = made_up()
    assert len(study.claims(table[table.state == "SR"])) == 1
    assert len(study.claims(table[table.state != "AI"])) == 3 + 1


def test_the_populations_count_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    times = np.sort(np.round(rng.uniform(0.1, 0.3, 400), 4))  # on a grid of .1 ms, as simulated
    expected = [sum(k <= round(1e4 * t) // 10 - 100 < k + 1 for t in times) for k in range(200)]
    assert study.population_counts(times, 0.1, 0.3).tolist() == expected


def test_the_pairs_correlation_is_that_of_a_loop():
    rng = np.random.default_rng(1)
    trains = [np.sort(rng.uniform(0, 1, 60)) for _ in range(4)]
    trains[1] = trains[0]
    data = measures.as_trains(to_block([trains], t_stop=1 * second))
    counts = [np.histogram(t, np.linspace(0, 1, 101))[0] for t in trains]
    expected = [np.corrcoef(counts[i], counts[j])[0, 1] for i in range(4) for j in range(i)]
    assert study.pair_correlation(data, 10e-3) == pytest.approx(np.mean(expected), abs=1e-12)


def test_jitter_moves_every_spike_by_up_to_25_ms_and_loses_none():
    trains = [np.full(500, 0.5), np.full(300, 0.99)]
    data = measures.as_trains(to_block([trains], t_stop=1 * second))
    moved = study._jittered(data, np.random.default_rng(2))
    assert moved.counts.tolist() == [[500, 300]]
    first, second_ = moved.times[:500], moved.times[500:]
    assert (np.diff(first) >= 0).all()
    assert first.min() == pytest.approx(0.475, abs=1e-3)
    assert first.max() == pytest.approx(0.525, abs=1e-3)
    assert np.ptp((second_ + 0.5) % 1) < 0.05  # around the end


def test_the_mean_fields_cv_is_siegerts_at_its_own_rate():
    """The asynchronous state: mu and sigma_B by hand from C_E J tau (nu_ext + nu (1 - g / 4)), and a published rate of 37.95."""
    nu, ext = 37.95, 20.0
    mu = 1000 * 0.1 * 0.02 * (ext + nu * (1 - 5 / 4))
    sigma_b = np.sqrt(0.1**2 * 1000 * 0.02 * (ext + nu * (1 + 25 / 4)))
    from nsnn_neuro.theory import siegert_cv

    expected = siegert_cv(mu, sigma_b / np.sqrt(2), tau_m=20.0, v_thresh=20.0, v_reset=10.0, tau_refrac=2.0)
    assert study._mean_field_cv(nu, 5.0, 2.0, study.Config()) == pytest.approx(expected, rel=1e-6)
