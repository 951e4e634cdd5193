"""`misfit`: standard normal for true models whether or not they were fitted, and what it says of wrong ones; p of several seeds."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from brian2 import Hz, ms, mV, second
from helpers.fits import analog
from scipy.stats import false_discovery_control, kstest, norm

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, fit_neuron, fit_population, to_block
from nsnn_neuro.likelihood import (
    Exponentials,
    Lags,
    NegativeBinomial,
    NeuronModel,
    Poisson,
    Rescaled,
    compare_models,
)
from nsnn_neuro.likelihood.misfit import FILTERS, _advice, misfit_table, neuron_cures, of_chances

DOCS = Path(__file__).parents[2] / "docs"
N, R = 3000, 100
MS = {"dt": 1 * ms}


def known(seed: int) -> Any:
    """Spikes of a known probability, which stimulus, last spike and time set; nothing is fitted."""
    rng = np.random.default_rng(seed)
    x, o, q = rng.normal(size=N), np.zeros(N), np.zeros(N)
    u, rest = rng.random(N), 0
    for t in range(N):
        q[t] = (t >= rest) * 0.25 / (1 + np.exp(-x[t]))
        if u[t] < q[t]:
            o[t], rest = 1.0, t + 3
    return of_chances(o, q, np.empty((N, 0)), x[:, None], (0, N))


def normal(tables: list[pd.DataFrame]) -> None:
    """p of all tests are uniform, in 4 standard errors and by Kolmogorov and Smirnov."""
    p = np.array([table.p for table in tables])
    p = p[:, ~np.isnan(p).any(axis=0)]
    assert p.shape[1] > 10
    z = np.array([table.statistic for table in tables])[:, tables[0].df == 1]
    z = z[:, ~np.isnan(z).any(axis=0)]
    assert np.all(np.abs(z.mean(axis=0)) < 4 / np.sqrt(len(z)))
    assert np.all(np.abs(z.var(axis=0, ddof=1) - 1) < 4 * np.sqrt(2 / len(z)))
    # tests of one recording depend on each other, those of recordings do not
    share = (p < 0.05).mean(axis=1)
    assert abs(share.mean() - 0.05) < 4 * share.std(ddof=1) / np.sqrt(len(share))
    assert all(kstest(column, "uniform").pvalue > 1e-3 / p.shape[1] for column in p.T)


def test_z_of_a_known_probability_is_standard_normal():
    tables = [misfit_table([known(seed)], 1e-3, 0.05, FILTERS) for seed in range(R)]
    normal(tables)
    assert np.mean([(table.q < 0.05).any() for table in tables]) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / R)


SIGNAL = analog(np.random.default_rng(4).normal(size=N))
BURSTY = {"stimulus": Lags(2), "history": Exponentials([5, 100] * ms), "family": nsnn.Logistic(1.0)}
CELL = NeuronModel(dt=1 * ms, **BURSTY)
TRUE = [-1.6, 0.8, 0.4, -2.0, -0.2]


@pytest.mark.slow
def test_z_of_a_fitted_true_model_is_standard_normal_and_nothing_is_left_of_its_filters():
    tables, ignored = [], []
    for seed in range(50):
        block = CELL.simulate(TRUE, SIGNAL, seed=seed)
        fit = fit_neuron(block, SIGNAL, **MS, **BURSTY)
        tables.append(fit.misfit(block, SIGNAL))
        ignored.append(fit.rescaled().p)
    normal(tables)
    trial = fit.misfit()  # of the filtered stimulus
    assert trial.p[trial.kind == "spikes"].tolist() == pytest.approx(
        tables[-1].p[tables[-1].kind == "spikes"].tolist(), nan_ok=True
    )
    one = tables[0].set_index("test")
    assert one.p[["rate", "stimulus now", "spikes over 100 ms"]].isna().all()
    assert np.mean(ignored) > 0.55  # rescaling is too lenient for fitted spikes; misfit is not


@pytest.mark.slow
def test_z_of_negative_binomial_counts_is_standard_normal():
    tables, rng = [], np.random.default_rng(6)
    for _ in range(40):
        # mean 0.8, dispersion 0.5: as Poisson's z have a variance of 1.4
        counts = rng.negative_binomial(2, 2 / 2.8, 2000)
        block = to_block([[np.repeat(np.arange(2000) * 0.005, counts) + 0.001]], t_stop=10 * second)
        tables.append(fit_neuron(block, dt=5 * ms, family=NegativeBinomial(), history=Lags(1)).misfit())
    p = np.array([table.p.dropna() for table in tables])
    share = (p < 0.05).mean(axis=1)
    assert abs(share.mean() - 0.05) < 4 * share.std(ddof=1) / np.sqrt(len(share))
    z = np.array([table.statistic[(table.df == 1) & table.p.notna()] for table in tables])
    assert np.all(np.abs(z.var(axis=0, ddof=1) - 1) < 4 * np.sqrt(2 / len(z)))


def test_q_and_advice_follow_from_p():
    block = CELL.simulate(TRUE, SIGNAL, seed=1)
    table = fit_neuron(block, SIGNAL, **MS, stimulus=1).misfit(block, SIGNAL, alpha=0.01)
    some = table.p.notna()
    np.testing.assert_allclose(table.q[some], false_discovery_control(table.p[some]))
    assert table.q[~some].isna().all()
    assert ((table.advice != "") == (table.q < 0.01)).all()
    assert (table.q < 0.01).any()
    single = table[some & (table.df == 1)]
    np.testing.assert_allclose(single.p, 2 * norm.sf(np.abs(single.statistic)))


WRONG = {  # true model (potential by signal, and extra drive), options of the fit, kind, words of the advice
    "adaptation": ({"history": Exponentials(100 * ms)}, [-1.0, 0.7, -0.5], "spikes", "add history="),
    "refractoriness": ({"history": Exponentials(3 * ms)}, [-1.0, 0.7, -3.0], "spikes", "refractory"),
    "facilitation": ({"history": Exponentials(100 * ms)}, [-2.5, 0.7, 0.05], "spikes", "facilitation"),
    "lag": ({"stimulus": Lags(11)}, [-2.0, 0.7, *[0.0] * 9, 0.6], "stimulus", "basis"),
    "square": ({"products": [("stimulus", "stimulus")]}, [-2.0, 0.7, 0.3], "stimulus squared", "products"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_strongest_test_says_what_is_missing(name):
    more, values, kind, words = WRONG[name]
    family = nsnn.Logistic(1.0)
    cell = NeuronModel(dt=1 * ms, family=family, **{"stimulus": Lags(1), **more})
    block = cell.simulate(values, SIGNAL, seed=3)
    table = fit_neuron(block, SIGNAL, **MS, stimulus=1, family=family).misfit(block, SIGNAL)
    best = table.loc[table.p.idxmin()]
    assert best.kind == kind
    assert words in best.advice
    again = fit_neuron(block, SIGNAL, **MS, family=family, **{"stimulus": Lags(1), **more}).misfit(
        block, SIGNAL
    )
    assert again.q.min() > 0.01


def test_drift_and_a_wrong_rate_are_seen():
    one = known(1)
    rng = np.random.default_rng(3)
    o = (rng.random(N) < np.linspace(0.05, 0.25, N)).astype(float)
    flat = of_chances(o, np.full(N, 0.1), np.empty((N, 0)), one.signal, (0, N))
    table = misfit_table([flat], 1e-3, 0.05, FILTERS).set_index("test")
    assert "drift" in table.advice["trend over the recording"]
    assert "higher" in table.advice["rate"]
    # spikes before the counted steps are given, those steps are not tested
    half = of_chances(o, np.full(N, 0.1), np.empty((N, 0)), one.signal, (N // 2, N))
    assert misfit_table([half], 1e-3, 0.05, FILTERS).set_index("test").statistic["rate"] == pytest.approx(
        (o[N // 2 :] - 0.1).sum() / np.sqrt(0.09 * N / 2)
    )


def test_counts_several_channels_trials_and_populations():
    both = analog(np.random.default_rng(2).normal(size=(N, 2)))
    counts = NeuronModel(dt=1 * ms, family=Poisson(), stimulus=Lags(1), channels=2)
    block = counts.simulate([-1.0, 0.6, 0.0], both, trials=2, seed=1)
    fit = fit_neuron(block, both[:, :1], **MS, stimulus=1, family=Poisson())
    assert fit.misfit(block, both[:, :1]).q.min() > 0.01
    table = fit_neuron(block, both, **MS, stimulus=1, family=Poisson()).misfit(block, both)
    assert {"stimulus[0] 5 ms ago", "stimulus[1] 5 ms ago"} <= set(table.test)
    rng = np.random.default_rng(0)
    first = rng.random(N) < 0.1 * (np.arange(N) > N / 2)
    pair = to_block([[np.flatnonzero(o) * 1e-3 for o in (first, rng.random(N) < 0.1)]], t_stop=3 * second)
    table = fit_population(pair, **MS, coupling=1).misfit(pair)
    best = table[table.kind == "drift"].groupby("neuron").p.min()
    assert best[0] < 1e-6
    assert best[1] > 1e-3


LIF = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
WIDTH = {"noise.sigma": (0.5 * mV, 20 * mV), "stimulus.offset": (0 * mV, 40 * mV)}


WHITE = nsnn.WhiteNoise(4 * mV)


def in_white_noise(noise: Any, seconds: float) -> tuple[Any, Any]:
    """A neuron in white noise, fitted to one in another noise, and the spikes of this."""
    smooth = nsnn.FrozenNoise(0.0, 1.0, 20 * ms, seed=3).samples(round(seconds / 5e-4), 5e-4)
    drive = nsnn.Filtered(analog(smooth, 5e-4), gain=5 * mV, offset=17 * mV)
    block = nsnn.simulate(LIF, noise, drive, duration=seconds * second, dt=0.5 * ms, seed=2)
    return nsnn.calibrate(LIF, WIDTH, noise=WHITE, stimulus=drive, trains=block, dt=0.5 * ms), block


@pytest.mark.slow
def test_noise_with_a_correlation_time_is_found_and_its_absence_too():
    right, wrong = (
        in_white_noise(noise, 10.0)[0].misfit() for noise in (WHITE, nsnn.OUNoise(4 * mV, 10 * ms))
    )
    assert right.q.min() > 0.01
    noise = wrong[wrong.kind == "noise"]
    assert noise.q.min() < 1e-3
    assert noise.advice.str.contains("OUNoise").any()


def test_a_held_refractory_time_is_tested():
    noise = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 2 * mV))
    free = {"tau_m": (1 * ms, 60 * ms), "noise.hazard.width": (0.3 * mV, 20 * mV)}
    free |= {"stimulus.gain": (0 * mV, 30 * mV), "stimulus.offset": (-10 * mV, 60 * mV)}
    smooth = nsnn.FrozenNoise(0.0, 1.0, 20 * ms, seed=3).samples(20_000, 5e-4)
    drive = nsnn.Filtered(analog(smooth, 5e-4), gain=7 * mV, offset=22 * mV)
    fires = replace(LIF, tau_refrac=8 * ms)
    options: dict[str, Any] = {"noise": noise, "stimulus": drive, "dt": 0.5 * ms}
    options["trains"] = nsnn.simulate(fires, noise, drive, duration=10 * second, dt=0.5 * ms, seed=2)
    held, right = (nsnn.calibrate(cell, free, **options).misfit().set_index("test") for cell in (LIF, fires))
    row = held.loc["refractory time"]
    assert row.statistic < -3
    assert row.lag == pytest.approx(2e-3)
    assert "2 ms is too short" in row.advice
    assert "tau_refrac" in row.advice
    assert abs(right.statistic["refractory time"]) < 3
    with pytest.warns(UserWarning, match=r"tau_refrac: its upper bound 30 ms .* shortest"):
        freed = nsnn.calibrate(LIF, free | {"tau_refrac": (0 * ms, 30 * ms)}, **options)
    low, high = freed.interval(0.999, names=["tau_refrac"])["tau_refrac"]
    assert low <= 8 * ms <= high
    assert "refractory time" not in freed.misfit().test.tolist()


def test_the_advice_begins_with_what_mimics_the_rest():
    """What to do for each kind, given its p: a filter leaves more in the stimulus than noise does, as docs/misfit.md has it."""

    def first(**p: float) -> dict[str, str]:
        kinds = [name.replace("_", " ") for name in p]
        table = pd.DataFrame(
            {"test": kinds, "kind": kinds, "lag": 0.1, "p": p.values(), "q": p.values(), "sign": 1.0}
        )
        # adaptation, which noise with a correlation time resembles
        table.loc[table.kind == "spikes", "sign"] = -1.0
        return dict(zip(kinds, _advice(table, 0.05, neuron_cures([])), strict=True))

    adaptation = first(spikes=1e-9, noise=1e-8)
    assert "GIF" in adaptation["spikes"]
    assert "first add a spike-triggered" in adaptation["noise"]
    both = first(stimulus=1e-9, stimulus_squared=1e-3, spikes=1e-4, noise=1e-12)
    assert all("filter the signal" in advice for advice in both.values())
    noise = first(stimulus=1e-3, noise=1e-8)
    assert "OUNoise" in noise["noise"]
    assert "filter" not in noise["noise"]
    assert "filter" not in first(stimulus=2e-3, noise=2e-5)["noise"]
    filtered = first(stimulus=1e-6, noise=1e-8)["noise"]
    assert filtered.index("filter") < filtered.index("OUNoise")


def test_advice_frees_what_was_not_free():
    assert "free tau_m, else stimulus.tau, else stimulus.delay" in neuron_cures(["noise.sigma"])["stimulus"]
    assert "free stimulus.delay" in neuron_cures(["model.tau_m", "stimulus.tau"])["stimulus"]
    assert "free" not in neuron_cures(["model.tau_m", "stimulus.tau", "stimulus.delay"])["stimulus"]


def test_a_printed_fit_in_white_noise_names_the_assumption():
    white, block = in_white_noise(WHITE, 1.0)
    assert "White noise" in str(white)
    fixed = {"noise.hazard.rate": (5 * Hz, 500 * Hz)}
    noise = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(50 * Hz, 3 * mV))
    given = {"stimulus": nsnn.Constant(19 * mV), "trains": block, "dt": 0.5 * ms}
    fit = nsnn.calibrate(LIF, fixed, noise=noise, **given)
    assert "White noise" not in str(fit)
    assert "fit.misfit()" in str(fit)
    table = fit.misfit()
    assert not table.kind.str.startswith("stimulus").any()  # a constant one
    assert set(table.df[table.kind == "noise"]) <= {1, 2}


def test_models_are_compared_with_their_misfits():
    block = CELL.simulate(TRUE, SIGNAL, trials=2, seed=5)
    options: dict[str, Any] = {**MS, "t_stop": 1.5 * second}
    models = {
        "true": fit_neuron(block, SIGNAL, **options, **BURSTY),
        "no history": fit_neuron(block, SIGNAL, **options, stimulus=2),
    }
    held_out = {"t_start": 1.5 * second}
    table = compare_models(models, block, SIGNAL, **held_out, precision=2 * ms, trials=2)
    rows = table[table.score == "misfits"].set_index("model")
    assert rows.value["true"] == 0 < rows.value["no history"]
    tests = models["no history"].misfit(block, SIGNAL, **held_out).q
    assert rows.value["no history"] == (tests < 0.05).sum()
    assert rows.n["no history"] == tests.notna().sum()


@pytest.mark.slow
def test_p_of_several_seeds_has_the_right_size_and_varies_less():
    rng = np.random.default_rng(1)
    q = np.tile([0.5, 0.3, 0.7], 50)  # of long steps, where seeds matter
    n = 150
    one, many = np.empty((n, 2)), np.empty((n, 2))
    for k in range(n):
        o = rng.random(len(q)) < q
        for first in range(2):
            one[k, first] = Rescaled.of(q, o, seed=100 * first + k).p
            many[k, first] = Rescaled.of(q, o, seed=100 * first + k, n_seeds=6).p
    assert abs((many < 0.05).mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 / n)
    apart = np.abs(np.diff(norm.ppf(many), axis=1)).mean()
    assert apart < 0.7 * np.abs(np.diff(norm.ppf(one), axis=1)).mean()
    assert np.median([Rescaled.of(q, rng.random(len(q)) < 0.7 * q, n_seeds=6).p for _ in range(9)]) < 0.05
    sparse, o = np.full(4000, 5e-3), rng.random(4000) < 0.01
    p = [Rescaled.of(sparse, o, seed=k).p for k in range(3)]
    assert Rescaled.of(sparse, o, n_seeds=3).p == pytest.approx(np.mean(p), rel=0.1)  # of almost equal ones
    o = rng.random(4000) < 0.05
    p = [Rescaled.of(sparse, o, seed=k).p for k in range(3)]
    combined = Rescaled.of(sparse, o, n_seeds=3).p
    assert combined == pytest.approx(3 / np.sum(1 / np.array(p)), rel=1e-6)  # far below 1e-17


@pytest.fixture
def power(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("misfit_power")


def test_the_page_shows_what_is_kept(power):
    page = (DOCS / "misfit.md").read_text("utf-8")
    for name, results in json.loads(power.RESULTS.read_text("utf-8")).items():
        assert power.row(name, results) in page


@pytest.mark.slow
def test_a_kept_row_can_be_made_again(power):
    kept = json.loads(power.RESULTS.read_text("utf-8"))
    name = "moving threshold, 60 ms"
    again = power.recording(power.CASES[name], 0)
    assert again["spikes"] == kept[name][0]["spikes"]
    assert "spikes" in again["kinds"]
    assert again["strongest"] == kept[name][0]["strongest"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda fit, block: fit.misfit(alpha=1.5), "alpha = 1.5"),
        (lambda fit, block: fit.misfit(alpha=True), "alpha = True"),
        (lambda fit, block: fit.misfit(None, SIGNAL), "trains and signal"),
        (lambda fit, block: fit.misfit([[]], SIGNAL), "no spikes"),
        (lambda fit, block: fit.rescaled(n_seeds=0), "n_seeds"),
    ],
)
def test_refusals(call, words):
    block = CELL.simulate(TRUE, SIGNAL, seed=1)
    with pytest.raises(NsnnError, match=words):
        call(fit_neuron(block, SIGNAL, **MS, stimulus=1), block)
