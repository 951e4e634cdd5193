"""`certify`: its pairs against the product of public neurons and noise models, its arithmetic on known numbers, the command.

Not public: its verdicts and fits are checked on numbers that no simulation gives, and all its pairs would take minutes.
"""

from __future__ import annotations

import csv
import inspect
import json
import sys

import numpy as np
import pandas as pd
import pytest
from brian2 import ms, mV
from helpers.command import main
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import Neuron, Noise, NsnnError
from nsnn_neuro.certify import report, run
from nsnn_neuro.certify.pairs import pairs, refusal

SOURCES = ("Relay", "PoissonSource")
CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)


def classes(base: type) -> list[type]:
    """The public classes under `base`."""
    abstract = (base, nsnn.IntegrateAndFire, nsnn.ConductanceBased)
    named = [getattr(nsnn, name) for name in nsnn.__all__]
    return [c for c in named if inspect.isclass(c) and issubclass(c, base) and c not in abstract]


def public(base: type) -> list[str]:
    return [c.__name__ for c in classes(base)]


# --- the pairs -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_pairs_are_the_product_of_neurons_and_noises():
    expected = {(n, m) for n in public(Neuron) for m in public(Noise)} | {(n, "none") for n in SOURCES}
    expected |= {("TsodyksMarkram", "none")}
    found = [(p.model, p.noise) for p in pairs()]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_each_pair_has_cases_or_says_why_not():
    for pair in pairs():
        states = [bool(pair.cases), bool(pair.refused), bool(pair.reason)]
        assert sum(states) == 1, (pair.model, pair.noise)
        assert "not written yet" not in pair.reason, (pair.model, pair.noise)
        modes = [case.mode for case in pair.cases]
        assert len(modes) == len(set(modes))
        assert all(case.theory is not None for case in pair.cases)


def test_every_family_and_hazard_has_a_mode():
    kinds = {kind.type_name() for kind in (*classes(nsnn.Family), *classes(nsnn.Hazard))}
    for model in ("LIF", "PIF", "NSNNNeuron"):
        (pair,) = (p for p in pairs() if (p.model, p.noise) == (model, "EscapeNoise"))
        assert kinds <= {case.mode for case in pair.cases}


@pytest.mark.slow
def test_synapses_with_memory_transmit_what_theory_says():
    table = nsnn.certify("tsodyksmarkram", n_jobs=1, progress=False)
    assert table["mode"].tolist() == ["depression", "facilitation", "depression and facilitation"]
    assert table["quantity"].tolist() == ["efficacy"] * 3
    assert table["verdict"].tolist() == ["pass"] * 3


def test_a_refusal_is_what_simulate_says():
    refusals = {(p.model, p.noise): p.refused for p in pairs() if p.refused}
    assert len(refusals) == 40
    drive = nsnn.Constant(20 * mV)
    with pytest.raises(NsnnError) as caught:
        nsnn.simulate(CELL, nsnn.DoubleNoise(0.4), drive, duration=1 * ms)
    assert refusals["LIF", "DoubleNoise"] == str(caught.value)
    assert refusal(CELL, nsnn.WhiteNoise(3 * mV)) == ""


# --- verdicts and biases --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "se", "n", "exact", "wrong"),
    [
        (20.05, 0.02, 120_000, 20.0, ""),
        (20.05, 0.02, 99_999, 20.0, "99999 spikes"),
        (20.09, 0.02, 120_000, 20.0, "|z| = 4.5"),
        (20.30, 0.10, 120_000, 20.0, "relative error +1.50%"),
        (30.00, 0.02, 10, 20.0, "10 spikes, fewer than 100000; |z| = 500.0, not below 4; relative error"),
        (float("nan"), 0.02, 120_000, 20.0, "|z| = nan"),
    ],
)
def test_verdicts(value, se, n, exact, wrong):
    verdict, reason = run.judge(run.Estimated(value, se, n), exact)
    assert verdict == ("fail" if wrong else "pass")
    assert wrong in reason
    assert bool(wrong) == bool(reason)


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0])
def test_the_order_of_a_bias_is_found(order):
    """50 sets of errors a dt^p with known noise: the order's z is standard normal, and so is that of the bias at .1 ms."""
    rng, z, off = np.random.default_rng(4), [], []
    for _ in range(50):
        errors = {
            dt: (0.04 * (dt / 0.1) ** order + 4e-3 * rng.normal(), 4e-3) for dt in (0.05, 0.1, 0.2, 0.4)
        }
        bias = run.fit_bias(errors, 0.1)
        found, se = (float(x) for x in bias.order.split(" ± "))
        z.append((found - order) / se)
        off.append(bias.percent - 4.0)
    assert abs(np.mean(z)) * 50**0.5 < 4
    assert stats.chi2.cdf(np.sum(np.square(z)), 50) < 0.9999
    assert abs(np.mean(off)) < 4 * np.std(off) / 50**0.5


def test_no_order_is_invented():
    """Noise alone: "< x %" nearly always, and x covers the true bias, 0; a bias of one size at every dt has no order."""
    rng = np.random.default_rng(5)
    noise = [
        run.fit_bias({dt: (1e-3 * rng.normal(), 1e-3) for dt in (0.05, 0.1, 0.2)}, 0.1) for _ in range(200)
    ]
    assert all(bias.order.startswith("< ") for bias in noise)
    assert (
        np.mean([abs(b.percent / b.se_percent) > 1.96 for b in noise]) < 0.05 + 4 * (0.05 * 0.95 / 200) ** 0.5
    )
    assert run.fit_bias(dict.fromkeys((0.05, 0.1, 0.2), (0.02, 1e-4)), 0.1).order == "not resolved"


def test_estimates_of_a_known_process():
    """Gamma intervals in 400 stationary trains: rate and CV are within 4 standard errors, which are those that repeats show."""
    rng, z = np.random.default_rng(6), []
    for _ in range(20):
        gaps = rng.gamma(4.0, 0.005, size=(400, 250))
        times = np.cumsum(gaps, axis=1) - 1.0  # stationary after a second
        times, train = times[(times >= 0) & (times < 2.0)], np.nonzero((times >= 0) & (times < 2.0))[0]
        found = run._estimated(times, train, train, 400, 0.3, 2.0)
        z.append([(found["rate"].value - 50) / found["rate"].se, (found["cv"].value - 0.5) / found["cv"].se])
        assert found["rate"].n == np.sum(times >= 0.3)
    assert np.abs(z).max() < 4
    assert np.all(stats.chi2.cdf(np.sum(np.square(z), axis=0), 20) < 0.9999)
    assert np.all(stats.chi2.sf(np.sum(np.square(z), axis=0), 20) < 0.9999)


# --- the function ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_real_pair_passes_and_reports_progress():
    """Binomial spikes: rate (1 - exp(-rate dt)) / dt, CV sqrt(exp(-rate dt)), both by hand."""
    done = []
    table = nsnn.certify("poissonsource", n_jobs=1, progress=done.append)
    judged = table[table["n_spikes"] > 0]
    assert list(table.columns) == run.COLUMNS
    assert judged["verdict"].tolist() == ["pass", "pass"]
    np.testing.assert_allclose(judged["theory"], [-np.expm1(-0.04) / 1e-3, np.exp(-0.02)], rtol=1e-12)
    assert (judged["n_spikes"] >= 100_000).all()
    assert done == [1.0]


@pytest.mark.slow
def test_numbers_depend_on_the_seed_alone():
    """Not on the number of processes, nor on what else is asked for."""
    table = nsnn.certify(["nsnnneuron"], n_jobs=2, progress=False)
    judged = table[table["n_spikes"] > 0]
    assert (judged["verdict"] == "pass").all()
    assert len(judged) == 2 * 8 + 1 + 2
    alone = nsnn.certify("PoissonSource", n_jobs=1, progress=False)
    both = nsnn.certify(["Relay", "PoissonSource"], n_jobs=2, progress=False)
    pd.testing.assert_frame_equal(both[both["model"] == "PoissonSource"].reset_index(drop=True), alone)
    assert (nsnn.certify("PoissonSource", seed=2, n_jobs=1, progress=False)["z"] != alone["z"]).any()


@pytest.mark.slow
def test_ends_of_ranges_are_further_rows_and_the_others_stay(monkeypatch):
    """Each pair with such rows has others, too."""
    for pair in pairs():
        assert not pair.cases or not all(case.end_of_range for case in pair.cases)

    def rows_of(i, j, engine, seed):
        pair = pairs()[i]
        return [run._row(pair.model, pair.noise, pair.cases[j].mode)]

    monkeypatch.setattr(run, "_rows_of", rows_of)
    some, every = (
        run.certify(["LIF", "QIF"], ranges=ranges, n_jobs=1, progress=False) for ranges in (False, True)
    )
    assert len(every) - len(some) == run.ends_of_ranges(["LIF", "QIF"]) > 20
    names = ["model", "noise", "mode"]
    more = every.merge(some[names], on=names, how="left", indicator=True)
    modes = more[more["_merge"] == "left_only"]["mode"]
    assert sum(".2 Hz" in mode for mode in modes) == 4
    kept = more[more["_merge"] == "both"][names].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, some[names])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"models": "Relay", "ranges": 1}, "ranges = 1"),
        ({"models": "LIFE"}, r"models = LIFE: expected names among LIF, PIF.*; did you mean 'LIF'\?"),
        ({"models": "Relay", "engine": "fortran"}, "engine = 'fortran'"),
        ({"models": "Relay", "n_jobs": 0}, "n_jobs = 0"),
        ({"models": "Relay", "seed": -1}, "seed = -1"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(NsnnError, match=words):
        nsnn.certify(**arguments)


# --- the command ----------------------------------------------------------------------------------------------


@pytest.fixture
def rows(monkeypatch):
    """The command's `certify` gives these rows: one of each verdict."""
    blank = run._row("LIF", "WhiteNoise", "bridge")
    numbers = {"quantity": "rate", "simulated": 27.3, "se": 0.05, "theory": 27.34, "z": -0.8, "relative_error": -0.0015,
               "n_spikes": 130_000, "dt_ms": 0.1, "order": "< 0.1 %", "bias_percent": 0.01, "bias_se_percent": 0.04}  # fmt: skip
    table = pd.DataFrame(
        [
            blank | numbers | {"verdict": "pass"},
            blank
            | numbers
            | {"quantity": "cv", "relative_error": 0.012, "verdict": "fail", "reason": "relative error"},
            blank | numbers | {"mode": "grid", "relative_error": -0.04, "verdict": "known"},
            run._row("LIF", "ConductanceNoise", "", verdict="no theory", reason="three dimensions"),
            run._row("LIF", "DoubleNoise", "", verdict="not offered", reason="noise = DoubleNoise(...)"),
        ],
        columns=run.COLUMNS,
    )
    asked = []

    def certify(models, **options):
        asked.append((models, options))
        return table

    monkeypatch.setattr(sys.modules["nsnn_neuro.certify"], "certify", certify)
    return table, asked


def test_the_command_prints_and_writes(rows, tmp_path, capsys):
    table, asked = rows
    folder = tmp_path / "deep" / "out"
    assert main(["certify", "lif", "PIF", "--out", str(folder), "--jobs", "1"]) == 1
    assert asked == [(["lif", "PIF"], {"ranges": False, "n_jobs": 1})]
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 1 + len(table) + 1
    assert lines[-1].startswith("5 rows: 1 pass, 1 fail, 1 no theory, 1 not offered, 1 known bias, in ")
    assert len({line.index("WhiteNoise") for line in lines if "WhiteNoise" in line}) == 1
    assert err == (
        f"nsnn: {folder / 'certificate.csv'}, {folder / 'certificate.png'}\n"
        "nsnn: 28 more rows at the ends of the ranges of noise and rates: --ranges\n"
    )
    with (folder / "certificate.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert [r["verdict"] for r in written] == table["verdict"].tolist()
    assert list(written[0]) == run.COLUMNS
    assert float(written[0]["theory"]) == 27.34
    assert (folder / "certificate.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in folder.iterdir()) == ["certificate.csv", "certificate.png"]


def test_the_command_passes_without_a_failure(rows, tmp_path, capsys):
    rows[0].loc[1, "verdict"] = "pass"
    assert main(["certify", "--ranges", "--out", str(tmp_path)]) == 0
    assert rows[1] == [(None, {"ranges": True, "n_jobs": None})]
    assert "--ranges" not in capsys.readouterr().err


def test_json_is_all_there_is_on_stdout(rows, tmp_path, capsys):
    assert main(["certify", "--json", "--out", str(tmp_path)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [r["verdict"] for r in found] == rows[0]["verdict"].tolist()
    assert found[0]["n_spikes"] == 130_000
    assert found[3]["simulated"] is None


def test_a_file_is_no_folder(tmp_path, capsys):
    (tmp_path / "certificate").write_text("")
    assert main(["certify", "Relay", "--out", str(tmp_path / "certificate")]) == 2
    assert "that is a file" in capsys.readouterr().err


def test_a_model_without_numbers_writes_no_figure(tmp_path, capsys):
    assert main(["certify", "relay", "--out", str(tmp_path)]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["certificate.csv"]
    assert "10 rows: 0 pass, 0 fail, 1 no theory, 9 not offered" in capsys.readouterr().out


def test_the_figure_shows_every_judged_row(rows):
    from matplotlib.figure import Figure

    ax = report.draw(rows[0], Figure().subplots())
    assert len(ax.get_yticklabels()) == 3
    assert [t.get_text() for t in ax.texts] == ["-4.0 %", "LIF"]
    assert {t.get_text() for t in ax.get_legend().get_texts()} == {"rate", "CV", "within 1 %", "failed"}
    assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1 - 1  # on no row
    ax = report.draw(rows[0].assign(quantity="efficacy"), Figure().subplots())
    assert "efficacy of synapses" in {t.get_text() for t in ax.get_legend().get_texts()}
