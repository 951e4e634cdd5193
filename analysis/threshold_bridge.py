"""Error of checking the threshold once per step, and its correction by the Brownian bridge.

The potential of a white-noise LIF neuron can cross the threshold and return within a time step. A simulator that checks the
threshold once per step misses these crossings. Its effective threshold is higher by 0.5826 sigma sqrt(2 dt / tau_m), and its rate
is several per cent too low at the usual dt of 0.1 ms. This error falls only with the square root of dt. With the bridge, a step
that ends below threshold fires with the probability that the path between its end points has crossed; the remaining error is of
order dt. The study simulates the same neuron with and without the bridge at several dt, and compares it with Siegert's exact rate.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from brian2 import mV, second
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory

from .harness import Claim, Progress, StudyConfig, quiet
from .shared.figures import BLUE, ORANGE, finish, log_axis, points
from .shared.simulations import lif_parameters

CLAIM = "With the Brownian bridge a white-noise LIF neuron has the exact rate at usual time steps; without it the rate is too low"
SABOTAGES = {"bridge off": "all runs are without the bridge"}


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in s, voltages in mV."""

    mu: float = 20.0
    sigma: float = 5.0 / np.sqrt(2)
    tau_m: float = 20e-3
    v_thresh: float = 20.0
    v_reset: float = 10.0
    tau_refrac: float = 2e-3
    steps: tuple[float, ...] = (0.05e-3, 0.1e-3, 0.2e-3, 0.5e-3, 1e-3)
    spikes: int = 200_000
    """expected number of spikes of each point"""
    seconds: float = 10.0
    """duration of each neuron, after a warm-up of 1 s"""
    tolerance: float = 0.01

    QUICK: ClassVar[dict[str, Any]] = {"steps": (0.1e-3, 0.2e-3, 1e-3), "spikes": 20_000}


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per (bridge, dt): simulated rate with its standard error over neurons, exact rate, predicted rate without bridge
    (Hz)."""
    cell = lif_parameters(config)
    mu, sigma = config.mu * mV, config.sigma * mV
    exact = theory.siegert_rate(mu, sigma, **cell)
    n = int(np.ceil(config.spikes / exact / config.seconds))
    rows = []
    for dt in config.steps:
        raised = theory.discrete_threshold(config.v_thresh, config.sigma, tau_m=config.tau_m, dt=dt)
        with_raised = theory.siegert_rate(mu, sigma, **cell | {"v_thresh": raised * mV})
        for bridge in (True, False):
            progress(f"dt {1e3 * dt:g} ms, bridge {'on' if bridge else 'off'}: {n} neurons")
            block = nsnn.simulate(
                nsnn.LIF(v_rest=0 * mV, **cell),
                nsnn.WhiteNoise(sigma),
                nsnn.Constant(mu),
                n_neurons=n,
                duration=(config.seconds + 1) * second,
                dt=dt * second,
                seed=config.seed,
                bridge=bridge and config.sabotage != "bridge off",
                progress=False,
            )
            rate = measures.firing_rate(block, t_start=1 * second)
            predicted = exact if bridge else with_raised
            error = float(rate.std(ddof=1) / np.sqrt(n))
            rows.append((bridge, dt, float(rate.mean()), error, exact, predicted, n))
    return pd.DataFrame(rows, columns=["bridge", "dt", "rate", "se", "exact", "predicted", "neurons"])


def claims(table: pd.DataFrame, tolerance: float = Config.tolerance) -> list[Claim]:
    """The study's claims with their evidence."""
    with_bridge, without = table[table.bridge], table[~table.bridge]
    off = (with_bridge.rate / with_bridge.exact - 1).abs()
    z = (with_bridge.rate - with_bridge.exact) / with_bridge.se
    small = with_bridge.dt <= 0.2e-3
    missing = 1 - without.rate / without.exact
    shifted = (without.rate - without.predicted) / without.se
    fine = without.dt <= 0.2e-3
    return [
        Claim(
            f"with the bridge the rate is within {100 * tolerance:g} % of Siegert's rate with |z| < 4, at dt up to 0.2 ms",
            (off[small] < tolerance).all() and (z[small].abs() < 4).all(),
            f"largest error {100 * off[small].max():.2f} %, largest |z| {z[small].abs().max():.1f}",
        ),
        Claim(
            "without the bridge the rate is at least 2 % too low at dt = 0.1 ms",
            (missing[np.isclose(without.dt, 0.1e-3)] > 0.02).all(),
            f"{100 * missing[np.isclose(without.dt, 0.1e-3)].iloc[0]:.1f} % too low",
        ),
        Claim(
            "without the bridge the rate is that of a threshold raised by 0.5826 sigma sqrt(2 dt / tau_m), |z| < 4 at "
            "dt up to 0.2 ms",
            (shifted[fine].abs() < 4).all(),
            f"largest |z| {shifted[fine].abs().max():.1f}",
        ),
    ]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Rates and errors at each dt."""
    return pd.DataFrame(
        {
            "bridge": table.bridge.map({True: "on", False: "off"}),
            "dt (ms)": (1e3 * table.dt).map("{:g}".format),
            "rate (Hz)": [f"{r:.3f} ± {e:.3f}" for r, e in zip(table.rate, table.se, strict=True)],
            "Siegert (Hz)": table.exact.map("{:.3f}".format),
            "error (%)": (100 * (table.rate / table.exact - 1)).map("{:+.2f}".format),
            "predicted (%)": (100 * (table.predicted / table.exact - 1)).map("{:+.2f}".format),
            "z against prediction": ((table.rate - table.predicted) / table.se).map("{:+.1f}".format),
        }
    )


def plot(table: pd.DataFrame) -> Figure:
    """Relative error of the rate against dt, with and without the bridge; bars: two standard errors."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    ax = figure.subplots()
    for bridge, colour, label in (
        (True, BLUE, "with the bridge"),
        (False, ORANGE, "threshold checked once per step"),
    ):
        rows = table[table.bridge == bridge].sort_values("dt")
        error, bar = 100 * (rows.rate / rows.exact - 1), 200 * rows.se / rows.exact
        points(ax, 1e3 * rows.dt, error, bar, fmt="o", color=colour, label=label)
    predicted = 100 * (rows.predicted / rows.exact - 1)
    ax.plot(1e3 * rows.dt, predicted, color=ORANGE, lw=1, label="prediction, raised threshold")
    ax.axhline(0, color="black", lw=0.8, zorder=0)
    log_axis(ax, 1e3 * np.unique(table.dt))
    place = {"loc": "lower left"}
    finish(ax, legend=place, xlabel="time step dt (ms)", ylabel="error of the rate (%)")
    return figure
