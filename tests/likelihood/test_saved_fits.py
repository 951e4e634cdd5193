"""Saved fits to recordings: read from their files they print, score and simulate identically; what isn't one is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import FormatError, NsnnError
from nsnn_neuro.core.results import write_npz
from nsnn_neuro.likelihood import (
    Exponentials,
    Lags,
    NegativeBinomial,
    Poisson,
    RaisedCosines,
    Training,
    fit_states,
    saved_fits,
)
from nsnn_neuro.measures import as_trains

RNG = np.random.default_rng(3)
CURRENT = neo.AnalogSignal(RNG.normal(size=(3000, 1)), units="nA", sampling_period=1 * pq.ms, name="current")
POTENTIALS = {"v_rest": 0 * mV, "v_reset": 5 * mV, "v_thresh": 20 * mV, "tau_refrac": 2 * ms}
CELL = nsnn.LIF(tau_m=20 * ms, **POTENTIALS)
HAZARD = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(300 * Hz, 2 * mV))
DRIVE = nsnn.FrozenNoise(20 * mV, 9 * mV, 5 * ms, seed=1)
OPTIONS: dict[str, Any] = {"duration": 1.5 * second, "dt": 0.5 * ms, "seed": 1, "engine": "numpy"}


def spikes(*rates: float, seed: int = 0) -> neo.Block:
    rng = np.random.default_rng(seed)
    times = [np.flatnonzero(rng.random(3000) < rate) * 1e-3 for rate in rates]
    return nsnn.to_block([times], t_stop=3 * second)


def neuron() -> Any:
    bases: dict[str, Any] = {
        "stimulus": RaisedCosines(3, 10 * ms),
        "history": Exponentials([2, 9] * ms),
        "coupling": 2,
    }
    data = spikes(0.1), CURRENT
    return nsnn.fit_neuron(*data, dt=1 * ms, inputs=spikes(0.05, seed=1), ridge="cv", n_folds=2, **bases)


def poisson() -> Any:
    return nsnn.fit_neuron(spikes(0.1), CURRENT, dt=1 * pq.ms, stimulus=Lags(2), family=Poisson())


def negative_binomial() -> Any:
    family = NegativeBinomial(0.5)
    return nsnn.fit_neuron(spikes(0.1), CURRENT, dt=1 * pq.ms, stimulus=Lags(2), family=family)


def states() -> Any:
    options: dict[str, Any] = {"transitions": Lags(1), "family": Poisson(), "n_starts": 1}
    return fit_states(spikes(0.1), CURRENT, dt=1 * ms, n_states=2, t_stop=0.5 * second, **options)


def population() -> Any:
    return nsnn.fit_population(spikes(0.1, 0.2), dt=1 * ms, coupling=2, beta=0.5, theta=1.0, history=1)


def network() -> Any:
    options: dict[str, Any] = {"training": Training(epochs=2), "engine": "numpy", "n_hidden": 3}
    return nsnn.fit_network(spikes(0.1), CURRENT, dt=1 * pq.ms, stimulus=2, seed=1, **options)


def by_likelihood() -> Any:
    stimulus = nsnn.Filtered(CURRENT, gain=20e6 * pq.ohm, offset=19 * mV)
    block = nsnn.simulate(CELL, HAZARD, stimulus, **OPTIONS)
    free = {"tau_m": (5 * pq.ms, 60 * pq.ms), "stimulus.offset": (10 * mV, 30 * mV)}
    return nsnn.calibrate(CELL, free, noise=HAZARD, stimulus=stimulus, trains=block, dt=0.5 * ms)


def with_inputs() -> Any:
    kind = {"short_term": nsnn.TsodyksMarkram(U=0.5, tau_rec=100 * ms), "weight": 8 * mV}
    one = nsnn.SynapticInput(spikes(0.05, seed=1), nsnn.ExponentialSynapse(5 * ms), **kind)
    free, given = {"input.weight": (1 * mV, 30 * mV)}, {"noise": HAZARD, "stimulus": nsnn.Constant(15 * mV)}
    cell = dataclasses.replace(CELL, tau_refrac=0 * ms)
    return nsnn.calibrate(cell, free, trains=spikes(0.02), inputs=one, dt=1 * ms, **given)


def by_simulation() -> Any:
    block = nsnn.simulate(CELL, HAZARD, DRIVE, **OPTIONS)
    few = {"n_simulations": 40, "n_generations": 6, "engine": "numpy", "dt": 0.5 * ms}
    free = {"tau_m": (10 * ms, 40 * ms)}
    return nsnn.calibrate(CELL, free, noise=HAZARD, stimulus=DRIVE, trains=block, method="simulation", **few)


def by_voltage() -> Any:
    block = nsnn.simulate(CELL, HAZARD, DRIVE, record_v=True, **OPTIONS)
    free = {"tau_m": None, "v_rest": None, "v_thresh": (10 * mV, 30 * mV)}
    return nsnn.calibrate(CELL, free, noise=HAZARD, stimulus=DRIVE, voltage=block, method="voltage")


def same_spikes(one: Any, other: Any) -> bool:
    a, b = as_trains(one), as_trains(other)
    return a.times.size > 0 and np.array_equal(a.times, b.times) and np.array_equal(a.neuron, b.neuron)


def scores(fit: Any, data: tuple[Any, ...], given: dict[str, Any]) -> list[Any]:
    estimate = fit.score(*data, **given)
    rescaled = fit.rescaled(*data, **given) if hasattr(fit, "rescaled") else []
    ps = [one.p for one in (rescaled if isinstance(rescaled, list) else [rescaled])]
    return [estimate.value, estimate.se, *ps]


NEW = spikes(0.1, seed=5)
# data to score, further arguments of score, arguments of simulate
USES: dict[Any, tuple[Any, Any, Any]] = {
    neuron: ((NEW, CURRENT), {"inputs": spikes(0.05, seed=6)}, {"signal": CURRENT, "inputs": spikes(0.05)}),
    poisson: ((NEW, CURRENT), {}, {"signal": CURRENT}),
    negative_binomial: ((NEW, CURRENT), {}, {"signal": CURRENT}),
    states: ((NEW, CURRENT), {}, {"signal": CURRENT}),
    with_inputs: ((spikes(0.02, seed=5),), {}, {"inputs": spikes(0.05)}),
    population: ((spikes(0.1, 0.2, seed=5),), {}, {"duration": 1 * second}),
    network: ((NEW, CURRENT), {}, {"signal": CURRENT}),
    by_likelihood: (
        (nsnn.to_block([[[0.1, 0.5, 1.2]]], t_stop=1.5 * second),),
        {},
        {"duration": 1 * second, "engine": "numpy"},
    ),
    by_simulation: (None, {}, {"engine": "numpy"}),
    by_voltage: (
        (nsnn.to_block([[[0.1, 0.5, 1.2]]], t_stop=1.5 * second),),
        {},
        {"duration": 1 * second, "engine": "numpy"},
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("make", USES)
def test_a_loaded_fit_is_the_saved_one(make: Any, tmp_path: Path) -> None:
    fit, (data, given, options) = make(), USES[make]
    again = nsnn.load_fit(fit.save(tmp_path / "fit.npz"))
    assert type(again) is type(fit)
    assert repr(again) == repr(fit)
    if data is not None:
        assert scores(again, data, given) == scores(fit, data, given)
    assert same_spikes(again.simulate(seed=4, **options), fit.simulate(seed=4, **options))
    if hasattr(fit, "interval"):
        a, b = again.interval(0.9), fit.interval(0.9)
        assert all(np.array_equal(a[name], b[name]) and a[name][0] == b[name][0] for name in b)
    if make is states:
        assert np.array_equal(again.posterior(), fit.posterior())
        assert again.table.equals(fit.table)
    if make is by_simulation:
        assert (again.chi2, again.p) == (fit.chi2, fit.p)
        assert np.array_equal(again.simulator(seed=2)([[0.5]]), fit.simulator(seed=2)([[0.5]]))
    again.save(tmp_path / "again.npz")
    with np.load(tmp_path / "fit.npz") as one, np.load(tmp_path / "again.npz") as other:
        assert {k: one[k].tobytes() for k in one} == {k: other[k].tobytes() for k in other}


def test_the_spikes_that_were_fitted_are_known_to_a_loaded_fit(tmp_path: Path) -> None:
    again = nsnn.load_fit(poisson().save(tmp_path / "fit.npz"))
    with pytest.warns(UserWarning, match="were fitted"):
        again.score(spikes(0.1), CURRENT)


def test_every_type_of_the_table_has_a_name_of_its_own() -> None:
    kinds = {kind for kind in vars(saved_fits).values() if isinstance(kind, type)}
    assert {kind.__name__: kind for kind in saved_fits.TYPES.values()} == saved_fits.TYPES
    assert set(saved_fits.FITS) < kinds & set(saved_fits.TYPES.values())
    models = {nsnn.AdEx, nsnn.GIF, nsnn.OUNoise, nsnn.PoissonInput, nsnn.ConductanceSynapse, nsnn.Transduced}
    assert models < set(saved_fits.TYPES.values())


@dataclasses.dataclass(frozen=True)
class Ramp(Lags):
    pass


def test_what_cannot_be_saved_is_refused_before_a_file_is_written(tmp_path: Path) -> None:
    fit = nsnn.fit_neuron(spikes(0.1), CURRENT, dt=1 * ms, stimulus=Ramp(2))
    for path, message in (
        (tmp_path / "fit.npz", r"fit\.model\.stimulus = Ramp.*class of your own"),
        (tmp_path / "none" / "fit.npz", "no folder"),
        (tmp_path / "fit.pkl", r"ends in \.npz"),
    ):
        with pytest.raises(NsnnError, match=message):
            fit.save(path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return poisson().save(tmp_path_factory.mktemp("saved") / "fit.npz")


def rewritten(path: Path, folder: Path, change: Any) -> Path:
    """The file with other content, and its checksum."""
    with np.load(path) as file:
        arrays = dict(file)
    about = json.loads(str(arrays.pop("about")))
    del about["sha256"]
    change(about["fit"]["fields"], arrays, about)
    write_npz(folder / "changed.npz", arrays, about, "path")
    return folder / "changed.npz"


LAGS = {"type": "Lags", "fields": {"n": 10**6}}
LONG = {"type": "Exponentials", "fields": {"taus": {"brian": 1e9, "unit": "s"}}}
CHANGES = {
    "os.system": lambda fit, arrays, about: fit["model"].update(type="os.system"),
    "no content": lambda fit, arrays, about: fit.update(ridge=[1, 2]),
    "ridge of NeuronFit": lambda fit, arrays, about: fit.update(ridge="large"),
    "n_steps": lambda fit, arrays, about: fit.update(n_steps=None),
    "parameters of NeuronFit": lambda fit, arrays, about: fit.update(parameters={"dict": [["bias", "x"]]}),
    "of its model": lambda fit, arrays, about: fit.update(parameters={"dict": [["bias", 1.0]]}),
    "a basis: about .* pass a larger max_bytes": lambda fit, arrays, about: fit["model"]["fields"].update(stimulus=LAGS),
    "basis: about": lambda fit, arrays, about: fit["model"]["fields"].update(stimulus=LONG),
    "a Lags, no fit": lambda fit, arrays, about: about.update(fit=LAGS),
    "of format 9": lambda fit, arrays, about: about.update(saved=9),
    "array_0": lambda fit, arrays, about: arrays.pop("array_0"),
    "unit": lambda fit, arrays, about: fit["model"]["fields"].update(signal_unit={"quantity": 1.0, "unit": "exit()"}),
    "fit_path": lambda fit, arrays, about: fit.update(fit_path=1),
}  # fmt: skip


@pytest.mark.parametrize("message", CHANGES)
def test_content_that_does_not_fit_is_refused(message: str, saved: Path, tmp_path: Path) -> None:
    nsnn.load_fit(rewritten(saved, tmp_path, lambda *_: None))
    with pytest.raises(FormatError, match=f"(?s)not a fit that `fit.save` has written.*{message}"):
        nsnn.load_fit(rewritten(saved, tmp_path, CHANGES[message]))


def test_damaged_files_and_engines_are_refused(saved: Path, tmp_path: Path) -> None:
    good, path = saved.read_bytes(), tmp_path / "bad.npz"
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(FormatError, match="not a fit"):
        nsnn.load_fit(path)
    with pytest.raises(FormatError, match="pass a larger max_bytes to load_fit"):
        nsnn.load_fit(saved, max_bytes=1000)
    with pytest.raises(NsnnError, match=r"engine = 'numpy'.*None"):
        nsnn.load_fit(saved, engine="numpy")


def test_more_cells_than_a_calibration_has_are_refused(tmp_path: Path) -> None:
    path = by_likelihood().save(tmp_path / "fit.npz")

    def more(fields: Any, *_: Any) -> None:
        fields["grid"]["fields"]["n_cells"] = 10**9

    nsnn.load_fit(path)
    with pytest.raises(FormatError, match="of its model"):
        nsnn.load_fit(rewritten(path, tmp_path, more))
