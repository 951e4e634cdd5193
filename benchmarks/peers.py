"""Fits beside ssm, dynamax and sbi on examples of their documentation; NeMoS and statsmodels: tests/test_peer_examples.py.

`python benchmarks/peers.py [--only ssm dynamax sbi]` prints differences, processor times of both and posteriors, and keeps them in
docs/peers.json; a peer that is not installed is skipped (ssm: its repository, lindermanlab/ssm). Three states: notebook 2b
of ssm (Ashwood et al. 2022, doi 10.1038/s41593-021-01007-z), with the half transition of `fit_states` as a Dirichlet prior.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import Logistic, calibrate, to_block
from nsnn_neuro.likelihood import fit_states

DT, TRUTH = 1 * pq.ms, np.array([3.0, 5.0, 19.0])  # mV: noise, gain and offset of the drive


def row(quantity: str, ours: Any, theirs: Any, *seconds: float) -> dict[str, Any]:
    """The largest absolute difference, and processor times of both fits where they are given."""
    gap = float(np.max(np.abs(np.asarray(ours) - np.asarray(theirs))))
    return {"quantity": quantity, "difference": float(f"{gap:.2g}"), "seconds": seconds}


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """The result of a call, and its processor time in s."""
    start = time.process_time()
    return call(), round(time.process_time() - start, 3)


def recorded(y: Any, x: Any) -> tuple[neo.Block, list[neo.AnalogSignal]]:
    """Choices (n_trials, n_steps, 1) as spikes in the middles of steps, and stimuli (n_trials, n_steps, 1)."""
    signals = [neo.AnalogSignal(one, units=pq.dimensionless, sampling_period=DT) for one in x]
    trials = [[(np.flatnonzero(one) + 0.5) * 1e-3] for one in y]
    return to_block(trials, t_stop=len(y[0]) * DT), signals


def choices(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Choices and stimuli (20 sessions, 100 trials, 1) of the notebook's animal."""
    rng, weights, state = np.random.default_rng(seed), np.array([[6, 1], [2, -3], [2, 3]]), 0
    transition = np.array([[0.98, 0.01, 0.01], [0.05, 0.92, 0.03], [0.03, 0.03, 0.94]])
    contrasts = 2.0 ** np.arange(-4, 1)
    x = rng.choice(np.r_[-contrasts, 0, contrasts], size=(20, 100, 1))
    y = np.zeros(x.shape)
    for i, j in np.ndindex(20, 100):
        state = rng.choice(3, p=transition[state]) if j else rng.integers(3)
        y[i, j] = rng.random() < 1 / (1 + np.exp(-weights[state] @ [x[i, j, 0], 1]))
    return y, x


def choice_fit() -> tuple[Any, float, np.ndarray]:
    """`fit_states` from five starts, its time, and the weights (3, 2) of stimulus and bias."""
    given: dict[str, Any] = {"dt": DT, "n_states": 3, "stimulus": 1, "family": Logistic(1.0)}
    fit, seconds = timed(lambda: fit_states(*recorded(*choices(0)), **given))
    names = [f"state[{k}].{one}" for k in range(3) for one in ("stimulus[0]", "bias")]
    return fit, seconds, np.reshape([fit.parameters[one] for one in names], (3, 2))


def alike(fit: Any, ours: np.ndarray, w: Any, chain: Any, height: Callable[..., float], *times: float) -> Any:
    """Rows for a peer's weights, transition matrix and function of log-likelihoods."""
    order = np.argmin(np.linalg.norm(ours[:, None] - w, axis=2), axis=1)
    yield row("weights", ours, w[order], *times)
    yield row("transition matrix", fit.transition, chain[np.ix_(order, order)])
    yield row("log-likelihood", fit.log_likelihood, height(*choices(0)))
    y, x = choices(1)
    p, bits = y.mean(), fit.score(*recorded(y, x)).value
    base = y.size * (p * np.log(p) + (1 - p) * np.log1p(-p))
    yield row("held-out bits per spike", bits, (height(y, x) - base) / y.sum() / np.log(2))


def by_ssm() -> Iterator[dict[str, Any]]:
    """Its EM from three starts; then on from the best one, with the first states' probabilities of our fit."""
    ssm, (fit, here, ours) = import_module("ssm"), choice_fit()
    kind: dict[str, Any] = {"observation_kwargs": {"C": 2, "prior_sigma": 1e6}, "transitions": "sticky"}
    kind |= {"observations": "input_driven_obs", "transition_kwargs": {"alpha": 1.5, "kappa": -0.5}}

    def inputs(y: np.ndarray, x: np.ndarray) -> dict[str, Any]:
        return {"datas": list(y.astype(int)), "inputs": [np.hstack([one, np.ones_like(one)]) for one in x]}

    data = inputs(*choices(0))
    np.random.seed(0)  # noqa: NPY002 - ssm draws from it
    models = [ssm.HMM(3, 1, 2, **kind) for _ in range(3)]
    how = {"num_iters": 200, "tolerance": 1e-4, "verbose": 0}
    ends, there = timed(lambda: [one.fit(**data, **how)[-1] for one in models])
    model = models[np.argmax(ends)]
    order = np.argmin(np.linalg.norm(-model.observations.params - ours, axis=2), axis=1)
    fixed = import_module("ssm.init_state_distns").FixedInitialStateDistribution
    model.init_state_distn = fixed(3, 1, pi0=fit.initial[order], M=2)
    model.fit(**data, num_iters=500, tolerance=1e-10, verbose=0, initialize=False)
    w, chain = -model.observations.params[:, 0], model.transitions.transition_matrix
    yield from alike(fit, ours, w, chain, lambda y, x: model.log_likelihood(**inputs(y, x)), here, there)
    reached, model.observations.params = model.log_probability(**data), -ours[order][:, None]
    model.transitions.log_Ps = np.log(fit.transition[np.ix_(order, order)])
    yield row("log-likelihood at our weights", fit.log_likelihood, model.log_likelihood(**data))
    yield row("log posterior, gained at our weights", model.log_probability(**data), reached)


def by_dynamax() -> Iterator[dict[str, Any]]:
    """EM of its `LogisticRegressionHMM` from one start, with ever smaller steps of Adam."""
    jax, hmm, optax = (import_module(one) for one in ("jax", "dynamax.hidden_markov_model", "optax"))
    jax.config.update("jax_enable_x64", True)
    (fit, here, ours), (y, x), rng = choice_fit(), choices(0), np.random.default_rng(0)
    start, params = time.process_time(), None
    prior = {"initial_probs_concentration": 2.0, "transition_matrix_concentration": 1.5}
    begin = {"initial_probs": np.ones(3) / 3, "transition_matrix": 0.05 + 0.85 * np.eye(3)}
    begin |= {"emission_weights": rng.normal(3, 1, (3, 1)), "emission_biases": rng.normal(0, 2, 3)}
    for rate in (1e-2, 1e-3, 1e-4):
        prior |= {"transition_matrix_stickiness": -0.5, "m_step_optimizer": optax.adam(rate)}
        model = hmm.LogisticRegressionHMM(3, 1, **prior)
        first, props = model.initialize(**begin)
        params, _ = model.fit_em(params or first, props, y[..., 0], inputs=x, num_iters=300, verbose=False)
    there = round(time.process_time() - start, 3)
    w = np.column_stack([params.emissions.weights, params.emissions.biases])
    chain, at = np.asarray(params.transitions.transition_matrix), partial(model.marginal_log_prob, params)
    yield from alike(fit, ours, w, chain, lambda y, x: float(sum(map(at, y[..., 0], x))), here, there)


def by_sbi() -> Iterator[dict[str, Any]]:
    """A LIF in white noise, three recordings. Densities learn from 2,000 simulations, "regression" (quadratic) is a check."""

    def posterior(recording: int, method: str, mv: np.ndarray, seconds: float) -> dict[str, Any]:
        low, high = np.percentile(mv, [2.5, 97.5], axis=0)
        out = {"mean": mv.mean(axis=0).round(2).tolist(), "sd": mv.std(axis=0).round(2).tolist()}
        out["held"] = ((low <= TRUTH) & (high >= TRUTH)).tolist()
        return {"recording": recording, "method": method, "seconds": round(seconds, 1)} | out

    torch, inference, utils = (import_module(one) for one in ("torch", "sbi.inference", "sbi.utils"))
    path = nsnn.FrozenNoise(0.0, 1.0, 5 * ms, seed=3).samples(16_000, 5e-4)
    signal = neo.AnalogSignal(path, units=pq.dimensionless, sampling_period=0.5 * pq.ms)
    cell = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    drive, start = (nsnn.Filtered(signal, gain=a * mV, offset=b * mV) for a, b in (TRUTH[1:], (4, 17)))
    bounds = {"noise.sigma": (0.5, 12), "stimulus.gain": (1, 20), "stimulus.offset": (10, 30)}
    free = {name: (low * mV, high * mV) for name, (low, high) in bounds.items()}
    few, draw = {"method": "simulation"}, np.random.default_rng(0)
    run = {"duration": 8 * second, "dt": 0.5 * ms}
    blocks = [nsnn.simulate(cell, nsnn.WhiteNoise(TRUTH[0] * mV), drive, seed=k, **run) for k in (1, 2, 3)]
    given = {"noise": nsnn.WhiteNoise(5 * mV), "stimulus": start, "dt": 0.5 * ms}
    fits = []
    for k, block in enumerate(blocks):
        for more in ({}, few):
            fit, seconds = timed(lambda b=block, m=more: calibrate(cell, free, trains=b, **given, **m))
            mv = draw.normal(list(fit.parameters.values()), list(fit.se.values()), (20_000, 3)) * 1e3
            yield posterior(k + 1, more.get("method", "likelihood"), mv, seconds)
        fits.append(fit)
    torch.manual_seed(1)
    first, box = fits[0], [torch.as_tensor(one, dtype=torch.float32) for one in fits[0].prior(reach=6)]
    theta = (prior := utils.BoxUniform(*box)).sample((2000,))
    x, simulated = timed(lambda: first.simulator(seed=1)(theta))
    middle, table = (box[0] + box[1]).numpy() / 2, first.statistics
    d = theta.numpy() - middle
    design = np.column_stack([np.ones(len(d)), d, d**2, d * np.roll(d, 1, axis=1)])
    slopes = np.linalg.lstsq(design, x.numpy(), rcond=None)[0]
    weighted = slopes[1:4] @ np.linalg.inv(np.cov(x.numpy() - design @ slopes, rowvar=False))
    covariance = np.linalg.inv(weighted @ slopes[1:4].T)
    seen = [((one.statistics - table)["recorded"] / table["sd"]).dropna().to_numpy() for one in fits]
    for k, one in enumerate(seen):
        at = middle + covariance @ weighted @ (one - slopes[0])
        u = draw.multivariate_normal(at, covariance, 20_000).clip(0, 1)
        yield posterior(k + 1, "regression", first.values(u) * 1e3, simulated)
    chains = {"mcmc_method": "slice_np_vectorized", "mcmc_parameters": {"num_chains": 50, "thin": 2}}
    for name, how in (("NPE", {}), ("NLE", chains)):
        method = getattr(inference, name)(prior=prior, show_progress_bars=False)
        _, learned = timed(lambda m=method: m.append_simulations(theta, x).train())
        for k, one in enumerate(seen):
            density, data = method.build_posterior(**how), torch.as_tensor(one, dtype=torch.float32)[None]
            u, seconds = timed(lambda p=density, o=data: p.sample((2000,), x=o, show_progress_bars=False))
            yield posterior(k + 1, name, first.values(u.clamp(0, 1)) * 1e3, simulated + learned + seconds)


def main() -> None:
    """Print the rows, and keep them in a file."""
    cases, path = {"ssm": by_ssm, "dynamax": by_dynamax, "sbi": by_sbi}, Path("docs/peers.json")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=cases, default=list(cases))
    kept = json.loads(path.read_text()) if path.exists() else {}
    for name in parser.parse_args().only:
        if find_spec(name) is None:
            print(f"{name} is not installed, so it is not compared")
            continue
        kept[name] = {"version": version(name), "rows": []}
        for one in cases[name]():
            print(name, one, flush=True)
            kept[name]["rows"].append(one)
        path.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
