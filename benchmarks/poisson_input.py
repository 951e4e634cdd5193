"""`PoissonInput` beside an exact event-driven solution, its error in dt, and its time beside source neurons.

    python benchmarks/poisson_input.py rates       rates of a LIF neuron in large spikes through exponential currents
    python benchmarks/poisson_input.py moments     moments of the free membrane, beside theory
    python benchmarks/poisson_input.py sources     1,000 neurons for 1 s, beside 800 source neurons for each
    python benchmarks/poisson_input.py fit         calibrate(method="simulation") of the rate or the weight

The reference has no time step: between two spikes of the input current and membrane are sums of two exponentials, whose maximum and
crossing of the threshold are right within rounding. It shares no code with the package. `docs/noise.md` shows the tables.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import time

import numba
import numpy as np
from brian2 import Hz, ms, mV, second
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import theory
from nsnn_neuro.measures import as_trains

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
# the number of sources at 5 Hz and the weight (mV): mean current 20 mV, through tau_syn = 5 ms
LARGE = {
    "20 sources, 40 mV": (20, 40.0),
    "100 sources, 8 mV": (100, 8.0),
    "800 sources, 1 mV": (800, 1.0),
}
DTS = (0.05, 0.1, 0.2, 0.4)  # ms
N, WINDOW, BURN_IN = 4000, 4.0, 0.3  # neurons, s, s


@numba.njit
def exact_counts(
    rng: np.random.Generator, n: int, rate: float, weight: float, window: float, burn_in: float
) -> np.ndarray:
    """Spikes of n neurons from `burn_in` to `burn_in + window` (s); times in s, voltages in mV."""
    tau, tau_syn, reset, threshold, refractory = 0.020, 0.005, 10.0, 20.0, 0.002
    counts = np.zeros(n)
    for k in range(n):
        t, v, x, free_at, end = 0.0, 0.0, 0.0, 0.0, burn_in + window
        arrival = rng.exponential(1 / rate)
        while t < end:
            to = min(arrival, end)
            if t < free_at:  # held at the reset
                to = min(to, free_at)
                x *= math.exp(-(to - t) / tau_syn)
                t = to
            else:
                b = x * tau_syn / (tau_syn - tau)
                a, h = v - b, to - t
                top = h
                if a != 0.0 and -b * tau / (a * tau_syn) > 0.0:
                    turn = math.log(-b * tau / (a * tau_syn)) / (1 / tau_syn - 1 / tau)
                    top = turn if 0.0 < turn < h else h
                if a * math.exp(-top / tau) + b * math.exp(-top / tau_syn) > threshold:
                    low, high = 0.0, top
                    for _ in range(60):
                        s = 0.5 * (low + high)
                        if a * math.exp(-s / tau) + b * math.exp(-s / tau_syn) > threshold:
                            high = s
                        else:
                            low = s
                    x *= math.exp(-high / tau_syn)
                    t, v = t + high, reset
                    free_at = t + refractory
                    counts[k] += t >= burn_in
                    continue
                v = a * math.exp(-h / tau) + b * math.exp(-h / tau_syn)
                x *= math.exp(-h / tau_syn)
                t = to
            if t == arrival:
                x += weight
                arrival = t + rng.exponential(1 / rate)
    return counts


def _rate(counts: np.ndarray) -> tuple[float, float]:
    return counts.mean() / WINDOW, counts.std() / np.sqrt(counts.size) / WINDOW


def rates() -> None:
    """Rates at several dt, in percent of the exact ones, with one standard error."""
    for name, (n, weight) in LARGE.items():
        exact, se = _rate(exact_counts(np.random.default_rng(1), 4 * N, 5.0 * n, weight, WINDOW, BURN_IN))
        cells = [f"{exact:.3f} ± {se:.3f}"]
        noise = nsnn.PoissonInput(5 * Hz, weight * mV, synapse=nsnn.ExponentialSynapse(5 * ms), n=n)
        _print(name, cells, CELL, noise, exact, se)
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=-60 * mV, v_reset=-60 * mV, v_thresh=-50 * mV, tau_refrac=5 * ms)
    ampa, gaba = nsnn.ConductanceSynapse(5 * ms, 0 * mV), nsnn.ConductanceSynapse(10 * ms, -80 * mV)
    for name, share in {
        "AMPA 800 and GABA 200, weights 0.035, 0.05": 1,
        "40 and 10, weights 0.7, 1": 20,
    }.items():
        noise = nsnn.PoissonInput(5 * Hz, 0.035 * share, synapse=ampa, n=800 // share)
        noise += nsnn.PoissonInput(10 * Hz, 0.05 * share, synapse=gaba, n=200 // share)
        exact, se = _simulated(cell, noise, 0.02, seed=3)
        _print(name, [f"{exact:.3f} ± {se:.3f}, dt = 0.02 ms"], cell, noise, exact, se)


def _simulated(cell: nsnn.LIF, noise: nsnn.PoissonInput, dt: float, seed: int) -> tuple[float, float]:
    options = {"n_neurons": N, "duration": (BURN_IN + WINDOW) * second, "dt": dt * ms, "seed": seed}
    trains = as_trains(nsnn.simulate(cell, noise, engine="cpp", **options))
    return _rate(np.bincount(trains.train[trains.times >= BURN_IN], minlength=N))


def _print(
    name: str, cells: list[str], cell: nsnn.LIF, noise: nsnn.PoissonInput, exact: float, se: float
) -> None:
    for dt in DTS:
        rate, error = _simulated(cell, noise, dt, seed=2)
        cells.append(f"{100 * (rate / exact - 1):+.2f} ± {100 * np.hypot(error / rate, se / exact):.2f} %")
    print("|", name, "|", " | ".join(cells), "|", flush=True)


def moments() -> None:
    """Mean and SD of 100,000 free membranes at 0.1 ms beside `theory.shot_noise_moments`."""
    deaf = dataclasses.replace(CELL, v_rest=-65 * mV, v_thresh=500 * mV)
    ampa, gaba = nsnn.ConductanceSynapse(2 * ms, 0 * mV), nsnn.ConductanceSynapse(5 * ms, -80 * mV)
    excited = nsnn.PoissonInput(5 * Hz, 0.02, synapse=ampa, n=800)
    cases = {
        "`DeltaSynapse`, 100 at 10 Hz, 0.5 mV": nsnn.PoissonInput(10 * Hz, 0.5 * mV, synapse=nsnn.DeltaSynapse(), n=100),
        "`ExponentialSynapse(5*ms)`, 100 at 10 Hz, 2 mV": nsnn.PoissonInput(
            10 * Hz, 2 * mV, synapse=nsnn.ExponentialSynapse(5 * ms), n=100),
        "`AlphaSynapse(5*ms)`, 100 at 10 Hz, 1 mV": nsnn.PoissonInput(10 * Hz, 1 * mV, synapse=nsnn.AlphaSynapse(5 * ms), n=100),
        "AMPA, 800 at 5 Hz, 0.02": excited,
        "the same, and GABA, 200 at 8 Hz, 0.1": excited + nsnn.PoissonInput(8 * Hz, 0.1, synapse=gaba, n=200),
        "AMPA of 5 ms, 4 at 50 Hz, 0.3": nsnn.PoissonInput(
            50 * Hz, 0.3, synapse=nsnn.ConductanceSynapse(5 * ms, 0 * mV), n=4),
    }  # fmt: skip
    for name, noise in cases.items():
        exact = theory.shot_noise_moments(noise, -65 * mV, tau_m=20 * ms)
        run = {"n_neurons": 100_000, "duration": 200 * ms, "seed": 1, "engine": "cpp", "return_state": True}
        v = np.asarray(nsnn.simulate(deaf, noise, **run)[1].values("v").magnitude).ravel()
        errors = v.std() / np.sqrt(v.size), exact[1] * np.sqrt((stats.kurtosis(v) + 2) / (4 * v.size))
        cells = [
            f"{1e3 * value:.4f} | {1e3 * at:.4f} | {(value - at) / error:+.1f}"
            for value, at, error in zip((v.mean(), v.std()), exact, errors, strict=True)
        ]
        print("|", name, "|", " | ".join(cells), "|", flush=True)


def sources() -> None:
    """Processor time for 1,000 neurons with 800 sources of 5 Hz each, and with 800 source neurons of their own or in common."""
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=-65 * mV, v_reset=-65 * mV, v_thresh=-50 * mV, tau_refrac=2 * ms)
    n, k, ampa, drive = 1000, 800, nsnn.ConductanceSynapse(2 * ms, 0 * mV), nsnn.Constant(7 * mV)
    noise = nsnn.PoissonInput(5 * Hz, 0.02, synapse=ampa, n=k)

    def network(private: bool) -> nsnn.Network:
        pre = nsnn.Population(n * k if private else k, nsnn.PoissonSource(5 * Hz), name="sources")
        post = nsnn.Population(n, cell, stimulus=drive, name="cells")
        each = nsnn.FromList(np.arange(n * k), np.repeat(np.arange(n), k))
        rule = each if private else nsnn.AllToAll()
        return nsnn.Network([pre, post], [nsnn.Projection(pre, post, rule=rule, weight=0.02, synapse=ampa)])

    rows = {
        "PoissonInput": ((cell, noise, drive), {"n_neurons": n}, 1000.0),
        "800 sources in common": ((network(False),), {}, 1000.0),
        "800 private sources for each": ((network(True),), {}, 50.0),
    }
    for name, (parts, more, duration) in rows.items():
        for engine in ("cython", "cpp"):
            spent = []
            for run in range(4):  # the first one compiles
                begin = time.process_time() + sum(_children())
                nsnn.simulate(*parts, duration=duration * ms, seed=run, engine=engine, **more)
                spent.append(time.process_time() + sum(_children()) - begin)
            print(f"{name}, {engine}: {min(spent[1:]) * 1000 / duration:.2f} s of processor time", flush=True)


def _children() -> tuple[float, float]:
    import os

    times = os.times()
    return times.children_user, times.children_system


def fit() -> None:
    """Rate, or weight, of an exponential current from 20 trials of 1 s, three recordings."""
    cell = dataclasses.replace(CELL, v_reset=0 * mV)
    true = nsnn.PoissonInput(5 * Hz, 3 * mV, synapse=nsnn.ExponentialSynapse(5 * ms), n=200)
    start = dataclasses.replace(true, rate=12 * Hz, weight=1 * mV)
    ranges = {"rate": (1 * Hz, 30 * Hz), "weight": (0.5 * mV, 10 * mV)}
    for seed in range(1, 4):
        run = {"trials": 20, "duration": 1 * second, "dt": 0.2 * ms, "seed": seed}
        block = nsnn.simulate(cell, true, nsnn.Constant(2 * mV), **run)
        for name, bounds in ranges.items():
            noise = dataclasses.replace(true, **{name: getattr(start, name)})
            result = nsnn.calibrate(
                cell, {f"noise.{name}": bounds}, noise=noise, stimulus=nsnn.Constant(2 * mV), trains=block, dt=0.2 * ms,
                method="simulation",
            )  # fmt: skip
            print(seed, result, f"p = {result.p:.2f}", flush=True)


if __name__ == "__main__":
    for command in sys.argv[1:] or ["rates", "moments", "sources", "fit"]:
        {"rates": rates, "moments": moments, "sources": sources, "fit": fit}[command]()
