"""How often `misfit` rejects a right and six wrong neurons: writes docs/misfit_power.json and prints the table of docs/misfit.md.

python docs/misfit_power.py N      adds what is missing to N recordings of each case (20: about eight minutes of processor time)
"""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import Hz, ms, mV, second
from scipy.signal import lfilter

import nsnn_neuro as nsnn

RESULTS = Path(__file__).with_name("misfit_power.json")
STEP = 0.5e-3  # s
VOLTAGES = {"v_rest": 0 * mV, "v_reset": 10 * mV, "v_thresh": 20 * mV}
LIF = nsnn.LIF(tau_m=15 * ms, tau_refrac=2 * ms, **VOLTAGES)
STEADY = {"tau_w": 150 * ms, "b": 0 * mV, "tau_thresh": 60 * ms, "b_thresh": 0 * mV}
ESCAPE = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 2 * mV))
WHITE = nsnn.WhiteNoise(4 * mV)
DRIVE = {"stimulus.gain": (0 * mV, 30 * mV), "stimulus.offset": (-10 * mV, 60 * mV)}
FREE = {
    ESCAPE: {"tau_m": (1 * ms, 60 * ms), "noise.hazard.width": (0.3 * mV, 20 * mV), **DRIVE},
    WHITE: {"tau_m": (1 * ms, 60 * ms), "noise.sigma": (0.5 * mV, 20 * mV), **DRIVE},
}


@dataclass(frozen=True)
class Case:
    """What fires; a LIF in `fitted` noise is fitted to it."""

    neuron: Any = LIF
    noise: Any = ESCAPE
    fitted: Any = ESCAPE
    offset: float = 18.0  # mV
    seconds: float = 15.0
    smoothed: float = 0.0  # s: the stimulus passes a filter that the fit does not know
    drift: float = 0.0  # mV: standard deviation of an offset that changes over 2 s


def gif(**changed: Any) -> Any:
    """The LIF with currents or a threshold that spikes change."""
    return nsnn.GIF(tau_m=15 * ms, tau_refrac=2 * ms, **VOLTAGES, **STEADY | changed)


CASES = {
    "the fitted neuron, escape noise": Case(),
    "the fitted neuron, white noise": Case(noise=WHITE, fitted=WHITE, offset=16.0),
    "adaptation current, 150 ms": Case(gif(b=3 * mV), offset=26.0),
    "moving threshold, 60 ms": Case(gif(b_thresh=4 * mV), offset=26.0),
    "noise of 5 ms": Case(noise=nsnn.OUNoise(4 * mV, 5 * ms), fitted=WHITE, offset=17.5, seconds=30.0),
    "noise of 5 ms, half as long": Case(noise=nsnn.OUNoise(4 * mV, 5 * ms), fitted=WHITE, offset=17.5),
    "drifting excitability": Case(drift=2.0),
    "stimulus through a filter of 10 ms": Case(smoothed=10e-3),
    "refractory time 8 ms, not 2 ms": Case(
        nsnn.LIF(tau_m=15 * ms, tau_refrac=8 * ms, **VOLTAGES), offset=22.0
    ),
}


def ou(rng: np.random.Generator, n: int, tau: float) -> np.ndarray:
    """An Ornstein-Uhlenbeck path of variance 1 in steps, (n,)."""
    decay = np.exp(-STEP / tau)
    z = rng.normal(size=n) * np.r_[1.0, np.full(n - 1, np.sqrt(1 - decay**2))]
    return np.asarray(lfilter([1.0], [1.0, -decay], z))


def drive(values: np.ndarray, offset: float) -> Any:
    """A stimulus of 7 mV for one unit of the signal."""
    signal = neo.AnalogSignal(values, units="dimensionless", sampling_period=STEP * pq.s)
    return nsnn.Filtered(signal, gain=7 * mV, offset=offset * mV)


def recording(case: Case, seed: int) -> dict[str, Any]:
    """What the tests say of one recording."""
    rng = np.random.default_rng([seed, 1])
    n = round(case.seconds / STEP)
    known = ou(rng, n, 20e-3)
    acting = known
    if case.smoothed:
        decay = np.exp(-STEP / case.smoothed)
        acting = lfilter([1 - decay], [1.0, -decay], known)
        acting = acting / acting.std()
    acting = acting + case.drift / 7 * ou(rng, n, 2.0)
    duration = case.seconds * second
    block = nsnn.simulate(
        case.neuron, case.noise, drive(acting, case.offset), duration=duration, dt=STEP * second, seed=seed
    )
    options: dict[str, Any] = {"noise": case.fitted, "stimulus": drive(known, 18.0), "dt": STEP * second}
    with warnings.catch_warnings(action="ignore"):
        fit = nsnn.calibrate(LIF, FREE[case.fitted], trains=block, **options)
    table = fit.misfit()
    misses = table[table.q < 0.05]
    noise = misses.advice.str.contains("OUNoise")
    return {
        "spikes": fit.n_spikes,
        "rescaling_p": round(fit.rescaled(n_seeds=5).p, 4),
        "p_below": round(float((table.p.dropna() < 0.05).mean()), 4),
        "kinds": sorted(set(misses.kind.where((misses.kind != "noise") | noise, "other"))),
        "strongest": str(table.test[table.p.idxmin()]),
        "noise_p": [float(f"{p:.2g}") for p in table.p[table.kind == "noise"]],
        "parameters": {name: float(f"{value:.4g}") for name, value in fit.parameters.items()},
    }


def row(name: str, results: list[dict[str, Any]]) -> str:
    """A line of the table."""
    n = len(results)
    some = sum(bool(one["kinds"]) for one in results)
    noise = sum("noise" in one["kinds"] for one in results)
    rescaling = sum(one["rescaling_p"] < 0.05 for one in results)
    spikes = np.median([one["spikes"] for one in results])
    kinds = [one["strongest"] for one in results if one["kinds"]]
    usual = max(sorted(set(kinds)), key=kinds.count) if kinds else ""
    often = f"{usual} ({kinds.count(usual)})" if kinds else ""
    share = 100 * np.mean([one["p_below"] for one in results])
    return f"| {name} | {n} | {spikes:.0f} | {rescaling} | {some} | {noise} | {share:.1f} | {often} |"


def main(n: int) -> None:
    """Add recordings and print the table."""
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    for name, case in CASES.items():
        done = results.setdefault(name, [])
        for seed in range(len(done), n):
            done.append(recording(case, seed))
            RESULTS.write_text(
                json.dumps(results).replace("[{", "[\n{").replace("}, {", "},\n{") + "\n", "utf-8"
            )
        print(row(name, done[:n]), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
