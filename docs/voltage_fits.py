"""Fits to a recorded membrane potential and to spikes alone, evaluated on held-out data, beside a model of the competition's
organisers: writes the table of docs/voltage.md.

The neuron is that of challenge A of the quantitative single-neuron modeling competition 2007 (Jolivet et al. 2008, doi
10.1007/s00422-008-0261-x), whose data are not part of the repository: `python docs/voltage_fits.py FOLDER`, with a folder that
holds current_voltage.npz (I_SET_REPEAT in pA, V_SET_REPEAT in mV, sampled at 5 kHz). All fits get the first half of all four
repeats; nothing is chosen on the second half. Finished fits are kept in docs/voltage_fits.json, so that a run that was stopped goes
on.

The organisers' model is an adaptive exponential neuron without noise, whose parameters are in
github.com/InPhyT/Quantitative_Single_Neuron_Modeling_Competition_2007 (Challenge_A/test, October 2007). These recordings are the
competition's training data, so that it may have been fitted to the second halves, too. Its exponential is so steep (0.006 mV) that
it is a threshold.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import Hz, Mohm, ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures
from nsnn_neuro.likelihood import detect_spikes

HERE = Path(__file__).parent
PAGE, KEPT = HERE / "voltage.md", HERE / "voltage_fits.json"
SETS = {"05": "156 pA, SD 164 pA", "11": "159 pA, SD 324 pA"}
HALF, PRECISION = 3.4, 2 * pq.ms
CELL = nsnn.GIF(
    tau_m=6 * ms, v_rest=-60 * mV, v_reset=-45 * mV, v_thresh=-40 * mV, tau_refrac=0.8 * ms, tau_w=25 * ms, b=2 * mV,
    tau_thresh=10 * ms, b_thresh=2 * mV,
)  # fmt: skip
ORGANISERS = nsnn.AdEx(
    tau_m=72.2967 / 13 * ms, v_rest=-60 * mV, v_reset=-44.2472 * mV, v_thresh=-37.9508 * mV, delta_T=0.0061 * mV,
    v_spike=-37.88 * mV, tau_refrac=1 * ms, tau_w=24.6772 * ms, a=0, b=36.3556 / 13 * mV,
)  # fmt: skip
RESISTANCE = 1e3 / 13 * Mohm  # of the organisers' model, whose leak is 13 nS
RATES = (5e3, 5e4, 5e5, 5e6)  # Hz, of the hazard at threshold; the training half chooses
SHAPES = {"tau_w": (5 * ms, 200 * ms), "tau_thresh": (2 * ms, 200 * ms)}
# spikes determine voltages only relative to each other: v_reset, v_thresh and the resistance stay what they are. A threshold that
# spikes lower (b_thresh < 0) fits the first half with hardly any noise, but the neuron then fires without end in simulations
FREE = {
    "tau_m": (1 * ms, 50 * ms), "v_rest": (-90 * mV, -42 * mV), "b": (-10 * mV, 30 * mV), "b_thresh": (0 * mV, 30 * mV), **SHAPES,
}  # fmt: skip
ROWS = {
    "voltage": "membrane potential and spikes; escape noise",
    "escape": "spikes; escape noise",
    "white": "spikes; white noise",
    "organisers": "the organisers' model, without noise",
}
HEAD = (
    "| current | fitted | bits per spike | Md* | Gamma / reliability | rate (cell), Hz | variance of the voltage |\n"
    "|---|---|---|---|---|---|---|\n"
)


def recording(folder: Path, name: str) -> tuple[list[Any], list[Any], neo.Block]:
    """The drives of the four repeats, their voltages and their spikes."""
    with np.load(folder / "current_voltage.npz") as data:
        amps, volts = ([data[f"{kind}_{name}_{k}"].astype(float) for k in range(4)] for kind in "IV")
    rate = {"sampling_rate": 5 * pq.kHz}
    drives = [nsnn.Filtered(neo.AnalogSignal(one, units="pA", **rate), gain=60 * Mohm) for one in amps]
    voltages = [neo.AnalogSignal(one, units="mV", **rate) for one in volts]
    return drives, voltages, detect_spikes(voltages, level=0 * mV)


def trains(spikes: neo.Block) -> list[list[neo.SpikeTrain]]:
    """Those of each repeat as a recording of its own."""
    return [[segment.spiketrains[0]] for segment in spikes.segments]


def fitted(kind: str, drives: list[Any], voltages: list[Any], spikes: neo.Block) -> Any:
    """One of the fits of `ROWS`; with escape noise that of the rate with the highest likelihood of the first half."""
    if kind == "white":
        return fit_one(kind, nsnn.WhiteNoise(2 * mV), drives, voltages, spikes)
    hazards = [nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(rate * Hz, 2 * mV)) for rate in RATES]
    fits = [fit_one(kind, hazard, drives, voltages, spikes) for hazard in hazards]
    return max(fits, key=lambda fit: fit.log_likelihood)


def fit_one(kind: str, noise: Any, drives: list[Any], voltages: list[Any], spikes: neo.Block) -> Any:
    """A fit with a given hazard, or in white noise."""
    options = {"stimulus": drives, "trains": trains(spikes), "t_stop": HALF * second, "dt": 0.2 * ms}
    if kind == "voltage":
        names = (
            "tau_m",
            "v_rest",
            "v_reset",
            "tau_refrac",
            "stimulus.gain",
            "b",
            "v_thresh",
            "b_thresh",
            "noise.hazard.width",
        )
        free = dict.fromkeys(names) | SHAPES
        return nsnn.calibrate(CELL, free, noise=noise, voltage=voltages, method="voltage", **options)
    name, low = ("noise.hazard.width", 0.05) if kind == "escape" else ("noise.sigma", 0.2)
    return nsnn.calibrate(CELL, FREE | {name: (low * mV, 10 * mV)}, noise=noise, **options)


def organisers(drives: list[Any], spikes: neo.Block) -> dict[str, float]:
    """Scores of the organisers' model on the second half; two trials, as the score of pairs needs two."""
    drive = nsnn.Filtered(drives[0].signal, gain=RESISTANCE)
    options = {"trials": 2, "duration": 6.8 * second, "dt": 0.02 * ms, "seed": 1}
    return compared(nsnn.simulate(ORGANISERS, stimulus=drive, **options), spikes)


def compared(model: neo.Block, spikes: neo.Block) -> dict[str, float]:
    """Scores of simulated spikes on the second half."""
    late = {"t_start": HALF * pq.s}
    cell = [segment.spiketrains[0] for segment in spikes.segments]
    gamma = measures.gamma_coincidence(cell, precision=PRECISION, **late)
    own = gamma[~np.eye(len(gamma), dtype=bool)].mean()
    simulated = [segment.spiketrains[0] for segment in model.segments]
    other = measures.gamma_coincidence(cell, simulated, precision=PRECISION, **late).mean()
    return {
        "md_star": measures.md_star(cell, simulated, precision=PRECISION, **late),
        "gamma": float(other / own),
        "reliability": float(own),
        "rate": float(np.mean([len(one.time_slice(HALF * pq.s, None)) for one in simulated]) / 3.4),
        "cell_rate": float(np.mean([len(one.time_slice(HALF * pq.s, None)) for one in cell]) / 3.4),
    }


def evaluated(fit: Any, kind: str, voltages: list[Any], spikes: neo.Block) -> dict[str, float]:
    """Scores of a fit on the second half."""
    late = {"t_start": HALF * pq.s}
    score = fit.score(trains(spikes), **late)
    scores = {
        "bits": score.value,
        "bits_se": score.se,
        **compared(fit.simulate(trials=40, seed=1, engine="numpy", duration=6.8 * second), spikes),
        "p": fit.rescaled(trains(spikes), **late).p,
        "log_likelihood": fit.log_likelihood,
    }
    if kind != "white":
        scores["hazard"] = fit.noise.hazard.si("rate")
    if kind == "voltage":
        scores |= {
            "variance": fit.predicted_variance(voltages, trains(spikes), **late),
            "series": fit.series_resistance,
            "series_se": fit.series_resistance_se,
        }
    values = {
        name: [fit.parameters[name], fit.se[name] if np.isfinite(fit.se[name]) else None]
        for name in fit.parameters
    }
    return scores | {"parameters": values}


def row(name: str, kind: str, of: dict[str, Any]) -> str:
    """A row of the table."""
    variance = f"{100 * of['variance']:.1f} %" if "variance" in of else "–"
    bits = f"{of['bits']:.2f} ± {of['bits_se']:.2f}" if "bits" in of else "–"
    return (
        f"| {SETS[name]} | {ROWS[kind]} | {bits} | {of['md_star']:.2f} | {of['gamma']:.2f} | "
        f"{of['rate']:.1f} ({of['cell_rate']:.1f}) | {variance} |\n"
    )


def table(results: dict[str, Any]) -> str:
    """The table of the page."""
    return HEAD + "".join(
        row(name, kind, results[f"{name} {kind}"])
        for name in SETS
        for kind in ROWS
        if f"{name} {kind}" in results
    )


def main(folder: Path) -> None:
    """Run the fits that are missing, and write the table."""
    results = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for kind in ROWS:
        for name in SETS:
            if f"{name} {kind}" in results:
                continue
            drives, voltages, spikes = recording(folder, name)
            if kind == "organisers":
                scores = organisers(drives, spikes)
            else:
                fit = fitted(kind, drives, voltages, spikes)
                scores = evaluated(fit, kind, voltages, spikes)
            results[f"{name} {kind}"] = scores
            KEPT.write_text(json.dumps(results, indent=1) + "\n")
            print(name, kind, results[f"{name} {kind}"], flush=True)
    text = PAGE.read_text(encoding="utf-8")
    begin = text.index(HEAD)
    PAGE.write_text(text[:begin] + table(results) + text[text.index("\n\n", begin) + 1 :], encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
