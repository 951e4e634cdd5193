"""Fits of generalised linear models to spikes: `fit_neuron` beside scikit-learn and NeMoS, the same columns and parameters.

`python benchmarks/glm.py [--steps N] [--repeats N] [--quick] [--json FILE]`: seconds of a fit, median of N after one that compiles.
The neuron has a stimulus filter of 8 raised cosines and a spike history of 6, in steps of 1 ms. `fit_neuron` starts from the spikes
and the signal and also gives standard errors; the peers get the columns of the design matrix ready-made and give parameters alone.
The object of a peer is fitted once before the timed fits, so that it may keep what it compiles. A Bernoulli
model with logistic function is scikit-learn's `LogisticRegression` without penalty, a Poisson model NeMoS' `GLM`, both in float64.
Tolerances of the peers' solvers are set so that the largest difference of a parameter is far below the 1e-3 that it may be.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import neo
import numpy as np
import quantities as pq
from comparison import NOT_INSTALLED, Agreement, Comparison, Report, add_options
from environment import installed, machine
from sklearn.linear_model import LogisticRegression
from timing import seconds_of

from nsnn_neuro import Logistic, fit_neuron
from nsnn_neuro.likelihood import NeuronModel, Poisson, RaisedCosines

DT = 1 * pq.ms
BASES = {"stimulus": RaisedCosines(8, 50 * pq.ms), "history": RaisedCosines(6, 100 * pq.ms)}
BIAS = -3.5  # of the log odds or of the log rate per step: about 30 Hz


def recording(family: Any, n_steps: int) -> tuple[neo.Block, neo.AnalogSignal]:
    """Spikes of a neuron of this kind, and its signal."""
    rng = np.random.default_rng(1)
    signal = neo.AnalogSignal(rng.normal(size=n_steps), units=pq.dimensionless, sampling_period=DT)
    model = NeuronModel(dt=DT, family=family, **BASES)
    stimulus, history = 0.3 * rng.normal(size=8), -0.3 * np.ones(6)
    return model.simulate([BIAS, *stimulus, *history], signal, seed=1), signal


def by_scikit_learn() -> Any:
    """The model, to be fitted."""
    return LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)


def by_nemos() -> Any:
    """The model, to be fitted."""
    import jax
    import nemos

    jax.config.update("jax_enable_x64", True)
    return nemos.glm.GLM(solver_name="LBFGS", solver_kwargs={"tol": 1e-10, "maxiter": 5000})


def run(report: Report, n_steps: int, repeats: int) -> None:
    """Report both comparisons."""
    size = f"{n_steps} steps, 15 parameters"
    cases: list[tuple[str, Any, str, str, Callable[[], Any]]] = [
        ("Bernoulli GLM", Logistic(1.0), "scikit-learn, LogisticRegression", "scikit-learn", by_scikit_learn),
        ("Poisson GLM", Poisson(), "NeMoS, GLM", "nemos", by_nemos),
    ]
    for name, family, peer, package, theirs in cases:
        if not installed(package):
            report.add(Comparison(name, size, (), peer, missing=NOT_INSTALLED))
            continue
        block, signal = recording(family, n_steps)
        given = {"dt": DT, "family": family, **BASES}
        fit = fit_neuron(block, signal, **given)
        data = fit.model.data(block, signal)
        columns, counts = np.hstack([data.drive, data.history]), data.o
        model = theirs().fit(columns, counts)
        values = np.r_[np.ravel(model.intercept_), np.ravel(model.coef_)]
        off = float(np.abs(np.asarray(fit.values) - values).max())
        here = seconds_of(lambda b=block, s=signal, g=given: fit_neuron(b, s, **g), repeats, warm=False)
        there = seconds_of(lambda m=model, x=columns, y=counts: m.fit(x, y), repeats, warm=False)
        alike = Agreement("largest difference of a parameter", off, 0.0, slack=1e-3)
        report.add(Comparison(name, size, here, peer, there, alike))


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    add_options(parser)
    given = parser.parse_args()
    print(machine())
    run(Report(given.json), *((5_000, 1) if given.quick else (given.steps, given.repeats)))


if __name__ == "__main__":
    main()
