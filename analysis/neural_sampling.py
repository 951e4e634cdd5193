"""Probabilistic inference by sampling in a recurrent network of noisy spiking neurons (neural sampling).

A network samples the Boltzmann distribution p(z) ~ exp(b z + z W z / 2), W symmetric, if neuron k has the potential u_k = b_k +
sum_j W_jk z_j, is on (z_k = 1) for tau updates after a spike, and, when it may fire, does so with probability
1 / (1 + exp(log tau - u_k)) (Buesing, Bill, Nessler & Maass 2011, doi 10.1371/journal.pcbi.1002211). Of 8 neurons p is enumerated.

The neurons are `NSNNNeuron`s with logistic escape noise, beta = 0 and threshold log tau, in `simulate`. Two idealisations are
those of the theorem: postsynaptic potentials are rectangles of tau updates, here tau jumps at successive delays, and the refractory
period is absolute, here strong inhibition of the neuron by itself. The theorem holds for updates in turn: a sweep is one time step
for each neuron, and a strong sinusoidal drive lets each fire in its step only. In `parallel` networks all are updated in each step
from the state of the step before, which is exact only as tau grows.

KL is the divergence (nat) of the fractions of time in each state from p, in independent networks that begin with all neurons off.
It is compared with a Gibbs sampler with as many updates, and with independent samples of p. Its limit for endless sampling is
estimated by a jackknife over networks. Evidence is a strong current into two neurons; its oracle is the enumerated conditional
distribution. Noise of scale s has the spike probabilities of another Boltzmann distribution, with weights W / s and biases
(b - log tau) / s + log tau, whose divergence from p is enumerated too.

Hypotheses, fixed before the run. The limit of KL is 0 without and with evidence. With tau = 1 the network is a Gibbs sampler; with
tau = 10 it needs more updates, since a neuron keeps its state for longer. Other noise gives the enumerated other distribution, and
without noise the network stays in one state. The error of parallel updates falls with tau, as 1 / tau^2. Gaussian noise of nearly
the same shape does nearly the same. Known before: the theorem; rates of another network, which agreed with enumeration; and quick
runs with 5 neurons. After the first, Gibbs, as good there as independent samples, need not be worse; no noise is compared with the
enumerated state, not with every noise; and quick runs became longer, to resolve the limits. Gaussian noise missed its criterion.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from brian2 import Hz, second
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import measures

from .harness import Claim, Progress, StudyConfig, quiet, secondary
from .shared.figures import BLUE, GREEN, GREY, ORANGE, finish, log_axis, means
from .shared.intervals import above, interval, interval_text
from .shared.tables import where

CLAIM = "A recurrent network of noisy neurons samples an enumerated posterior; with another noise it samples another distribution"
SABOTAGES = {
    "weights not symmetric": "the weight from j to k is larger by half for j < k, smaller by half for j > k",
    "noise too low": "the noise of every network has half its scale",
    "evidence off": "no current into the neurons that are given",
}
STEP = 1e-3  # s; has no effect on results
BLOCK, CLAMP = 2000.0, 40.0  # inhibition that prevents a spike, and the current of evidence, in units of u
Given = dict[int, int] | None  # neuron -> given state
EVIDENCE: Given = {0: 1, 1: 0}
SMALL = 1e-3  # nat; a limit of KL within it is 0
NO_NOISE = 1e-9  # scale


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    neurons: int = 8
    weight_sd: float = 0.8
    bias: tuple[float, float] = (-0.5, 0.5)  # mean and SD of b
    tau: int = 10
    networks: int = 16
    sweeps: int = 20_480
    warm_up: int = 512  # sweeps before those of limits and rates
    scales: tuple[float, ...] = (0.5, 0.7, 1.4, 2.0, 4.0)  # of the logistic noise, beside 1
    parallel: tuple[int, ...] = (5, 10, 20, 40)  # tau of networks with parallel updates

    QUICK: ClassVar[dict[str, Any]] = {"neurons": 5, "sweeps": 5120, "scales": (0.5, 2.0), "parallel": (2, 8)}


def parameters(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Weights, symmetric with zero diagonal, and biases."""
    rng, n = np.random.default_rng(config.seed), config.neurons
    W = np.triu(rng.normal(0, config.weight_sd, (n, n)), 1)
    return W + W.T, rng.normal(*config.bias, n)


def states(n: int) -> np.ndarray:
    """All states of n neurons, (2^n, n): bit k of the row is z_k."""
    return (np.arange(2**n)[:, None] >> np.arange(n)) & 1


def boltzmann(W: np.ndarray, b: np.ndarray, evidence: Given = None) -> np.ndarray:
    """Probabilities of all states, given those of some neurons."""
    z = states(b.size)
    log = z @ b + 0.5 * ((z @ W) * z).sum(1)
    for k, value in (evidence or {}).items():
        log[z[:, k] != value] = -np.inf
    p = np.exp(log - log.max())
    return p / p.sum()


def divergence(counts: np.ndarray, p: np.ndarray) -> np.ndarray:
    """KL(q || p) in nat of the fractions q of counts (..., states); infinite where only p is 0."""
    q = counts / counts.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(q > 0, q * np.log(q / p), 0.0).sum(-1)


def sampled(
    config: Config, tau: int, family: nsnn.Family, *, evidence: Given = None, parallel: bool = False
) -> np.ndarray:
    """State after each sweep, (networks, sweeps), of spiking networks of the same weights with independent noise."""
    (W, b), n = parameters(config), config.neurons
    if config.sabotage == "weights not symmetric":
        W = 1.5 * np.triu(W) + 0.5 * np.tril(W)
    for k, value in (evidence or {}).items() if config.sabotage != "evidence off" else ():
        b[k] = CLAMP if value else -CLAMP
    steps, turn = (1, 0.0) if parallel else (n, BLOCK)  # of a sweep; drive that keeps the others from firing
    pre, post, m = (a.ravel() for a in np.meshgrid(range(n), range(n), range(tau), indexing="ij"))
    itself = pre == post
    delay = steps * m + np.where(itself, 0, 1 if parallel else (post - pre) % n)
    weight = np.where(itself, -BLOCK, W[pre, post])
    pre, post, delay, weight = (a[delay > 0] for a in (pre, post, delay, weight))
    phase = np.pi / 2 - 2 * np.pi * np.arange(n) / steps
    drive = nsnn.Sinusoid(b - turn, turn, 1 / (steps * STEP) * Hz, phase=phase)
    neuron = nsnn.NSNNNeuron(beta=0.0, theta=np.log(tau))
    cells = nsnn.Population(n, neuron, noise=nsnn.EscapeNoise(family), stimulus=drive, name="cells")
    rule, delays = nsnn.FromList(pre, post), delay * STEP * second
    net = nsnn.Network([cells], [nsnn.Projection(cells, cells, rule=rule, weight=weight, delay=delays)])
    time: dict[str, Any] = {"duration": config.sweeps * steps * STEP * second, "dt": STEP * second}
    block = nsnn.simulate(net, trials=config.networks, seed=config.seed, progress=False, **time)
    spikes = measures.as_trains(block)
    sweep = np.rint(spikes.times / STEP).astype(int) // steps
    change = np.zeros((config.networks, config.sweeps + tau, n), np.int8)
    np.add.at(change, (spikes.trial, sweep, spikes.neuron), 1)
    np.add.at(change, (spikes.trial, sweep + tau, spikes.neuron), -1)
    return np.cumsum(change, axis=1)[:, : config.sweeps] @ (1 << np.arange(n))


def gibbs(config: Config) -> np.ndarray:
    """State after each sweep of a Gibbs sampler, which updates neurons in turn, (networks, sweeps)."""
    (W, b), rng, n = parameters(config), np.random.default_rng([config.seed, 1]), config.neurons
    z, chain = np.zeros((config.networks, n)), np.empty((config.networks, config.sweeps), int)
    for t, uniform in enumerate(rng.random((config.sweeps, n, config.networks))):
        for k in range(n):
            z[:, k] = uniform[k] < 1 / (1 + np.exp(-b[k] - z @ W[k]))
        chain[:, t] = z @ (1 << np.arange(n))
    return chain


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """Rows, a value for each network: "KL" after x sweeps; "limit" of KL at x = scale of the noise or tau (pseudovalues of the
    jackknife, enumerated limit); "rate" of neuron x (fraction on, enumerated). Without values: the enumerated "curve"."""
    (W, b), tau, z = parameters(config), config.tau, states(config.neurons)
    prior, given = boltzmann(W, b), boltzmann(W, b, EVIDENCE)
    width = 0.5 if config.sabotage == "noise too low" else 1.0
    rows: list[dict[str, Any]] = []

    def add(part: str, name: str, x: float, values: Any, exact: float = np.nan) -> None:
        row = {"part": part, "name": name, "x": x, "exact": exact}
        rows.extend(row | {"seed": k, "value": float(value)} for k, value in enumerate(values))

    def limit(name: str, x: float, chain: np.ndarray, p: np.ndarray = prior, exact: float = 0.0) -> None:
        counts = _counts(chain[:, config.warm_up :], p.size)
        whole, rest, n = divergence(counts.sum(0), p), divergence(counts.sum(0) - counts, p), len(counts)
        add("limit", name, x, n * whole - (n - 1) * rest, exact)

    def logistic(scale: float = 1.0, tau: int = tau, **options: Any) -> np.ndarray:
        progress(f"logistic noise of scale {scale:g}, tau {tau} {options or ''}")
        return sampled(config, tau, nsnn.Logistic(width * scale), **options)

    def predicted(s: float) -> float:
        return float(divergence(boltzmann(W / s, (b - np.log(tau)) / s + np.log(tau)), prior))

    chains = {"network": logistic(), "tau 1": logistic(tau=1), "Gibbs": gibbs(config)}
    rng = np.random.default_rng([config.seed, 2])
    for n in (config.sweeps >> k for k in range(8)):
        for name, chain in chains.items():
            add("KL", name, n, divergence(_counts(chain[:, :n], prior.size), prior))
        add("KL", "independent", n, divergence(rng.multinomial(n, prior, config.networks), prior))
    chains["posterior"] = logistic(evidence=EVIDENCE)
    for name, p in (("network", prior), ("posterior", given)):
        chain = chains[name]
        limit(name, 1.0, chain, p)
        for k in range(config.neurons):
            add("rate", name, k, z[chain[:, config.warm_up :], k].mean(1), float(p @ z[:, k]))
    limit("Gibbs", 1.0, chains["Gibbs"])
    for s in config.scales:
        limit("noise", s, logistic(s), exact=predicted(s))
    for s in np.geomspace(min(config.scales), max(config.scales), 40):
        rows.append({"part": "curve", "name": "noise", "x": s, "exact": predicted(s)})
    limit("no noise", 0.0, logistic(NO_NOISE), exact=-float(np.log(prior[0])))
    for t in config.parallel:
        limit("parallel", t, logistic(tau=t, parallel=True))
    progress("Gaussian noise")
    limit("Gaussian noise", 1.0, sampled(config, tau, nsnn.Gaussian(1.702 * width)))
    return pd.DataFrame(rows)


def _counts(chain: np.ndarray, n_states: int) -> np.ndarray:
    return np.array([np.bincount(codes, minlength=n_states) for codes in chain])


def _values(table: pd.DataFrame, part: str) -> dict[str, dict[float, np.ndarray]]:
    """name -> {x: values of the networks} of a part."""
    values: dict[str, dict[float, np.ndarray]] = {}
    for (name, x), rows in where(table, part=part).groupby(["name", "x"]):
        values.setdefault(name, {})[x] = rows.sort_values("seed").value.to_numpy()
    return values


def _z(values: np.ndarray, exact: float = 0.0) -> float:
    return float((values.mean() - exact) / max(values.std(ddof=1) / np.sqrt(values.size), 1e-12))


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    limits, kl = _values(table, "limit"), _values(table, "KL")
    right = {name: limits[name][1.0] for name in ("network", "posterior", "Gibbs")}
    _, low, high = np.array([interval(v) for v in right.values()]).T
    rates = where(table, part="rate")
    free = rates[(rates.name == "network") | ~rates.x.isin(EVIDENCE)].groupby(["name", "x"])
    z = max(abs(_z(group.value.to_numpy(), group.exact.iloc[0])) for _, group in free)
    exact = rates[~rates.x.isin(EVIDENCE)].groupby(["name", "x"]).exact.first()
    moved = (exact["posterior"] - exact["network"]).abs().max()
    most, last = max(kl["network"]), {name: values[max(values)].mean() for name, values in kl.items()}
    same = max(abs(_z(values - kl["Gibbs"][n])) for n, values in kl["tau 1"].items())
    noise, other = limits["noise"], where(table, part="limit", name="noise").groupby("x").exact.first()
    predicted = [abs(_z(v, other[s])) < 4 or abs(v.mean() - other[s]) < SMALL for s, v in noise.items()]
    silent, off = limits["no noise"][0.0].mean(), table[table.name == "no noise"].exact.iloc[0]
    parallel, gaussian = limits["parallel"], limits["Gaussian noise"][1.0]
    order = np.polyfit(np.log(list(parallel)), [np.log(abs(v.mean())) for v in parallel.values()], 1)[0]
    return [
        Claim(
            "the samples are those of the enumerated distribution, without and with evidence: the limit of KL is within "
            f"{SMALL:g} nat of 0 (95 %)",
            (low > -SMALL).all() and (high < SMALL).all(),
            "; ".join(f"{name} {interval_text(v, 'nat', digits=5)}" for name, v in right.items()),
        ),
        Claim(
            "the rate of each neuron is its enumerated probability, |z| < 4, and evidence moves one by more than .1",
            z < 4 and moved > 0.1,
            f"{len(free)} rates, largest |z| {z:.1f}; evidence moves probabilities by up to {moved:.2f}",
        ),
        Claim(
            "with tau = 1 the network is a Gibbs sampler: KL after as many sweeps is the same, |z| < 4",
            same < 4,
            f"{len(kl['Gibbs'])} numbers of sweeps, largest |z| {same:.1f}",
        ),
        Claim(
            "refractory neurons sample more slowly: after as many updates the KL of the network is above that of Gibbs at every "
            "number of sweeps (95 %), and above that of independent samples at the last",
            all(above(v - kl["Gibbs"][n], 0.0) for n, v in kl["network"].items())
            and above(kl["network"][most] - kl["independent"][most], 0.0),
            f"after {most:.0f} sweeps {last['network']:.5f} nat, Gibbs {last['Gibbs']:.5f}, independent {last['independent']:.5f}: "
            f"a sweep is worth {last['independent'] / last['network']:.2f} independent samples",
        ),
        Claim(
            "with another noise the network samples the other distribution that is predicted: the limit of KL is the enumerated "
            f"one, |z| < 4 or within {SMALL:g} nat, and above that of the right noise (95 %)",
            all(predicted) and all(above(v, high[0]) for v in noise.values()),
            "; ".join(f"scale {s:g}: {interval_text(v, 'nat', digits=4)}, enumerated {other[s]:.4f}" for s, v in noise.items()),
        ),
        Claim(
            "without noise there is no sampling: KL is that of the state with all neurons off, and above that of the right noise",
            abs(silent - off) < 1e-9 and silent > high[0],
            f"{silent:.3f} nat, of that state {off:.3f}",
        ),
        Claim(
            "updates in parallel sample another distribution, the less so the larger tau: the limit of KL is above 0 at the least "
            "tau and falls with each (95 %)",
            above(parallel[min(parallel)], 0.0) and all(above(a - b, 0.0) for a, b in itertools.pairwise(parallel.values())),
            "; ".join(f"tau {t:g}: {interval_text(v, 'nat', digits=5)}" for t, v in parallel.items()),
        ),
        secondary("the KL of parallel updates falls as 1 / tau^2, order within .3", abs(order + 2) < 0.3, f"order {order:.2f}"),
        secondary(
            "the shape of the noise matters little: with Gaussian noise of SD 1.702 the limit of KL is below .01 nat (95 %)",
            interval(gaussian)[2] < 0.01,
            interval_text(gaussian, "nat", digits=5),
        ),
    ]  # fmt: skip


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Limits of KL, estimated and enumerated."""
    rows = [
        (name, x, interval_text(group.value, "nat", digits=5), group.exact.iloc[0])
        for (name, x), group in where(table, part="limit").groupby(["name", "x"], sort=False)
    ]
    return pd.DataFrame(rows, columns=["network", "scale of noise, or tau", "limit of KL", "enumerated"])


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The figure with its caption."""
    caption = (
        "A: divergence from the enumerated distribution; dotted: (states - 1) / (2 samples), of independent samples. B: chance "
        "to be on, in the network (markers) and enumerated (lines). C: limit of the divergence; the theorem needs scale 1. "
        "Bars: 95 % intervals over networks."
    )
    return {f"{CLAIM}. {caption}": plot(table)}


def plot(table: pd.DataFrame) -> Figure:
    """Divergence against sweeps, rates without and with evidence, divergence against the noise."""
    left, middle, right = (figure := Figure(figsize=(10.5, 3.4), layout="constrained")).subplots(1, 3)
    kl, rates, limits = (_values(table, part) for part in ("KL", "rate", "limit"))
    n = np.array(list(kl["network"]))
    for name, colour, line in (("network", BLUE, "o-"), ("Gibbs", ORANGE, "s-"), ("independent", GREY, "^-")):
        means(left, n, kl[name].values(), fmt=line, color=colour, label=name)
    left.plot(n, (2 ** len(rates["network"]) - 1) / (2 * n), ":", color=GREY, lw=1)
    left.set_yscale("log")
    log_axis(left, n[::2])
    finish(left, "A", xlabel="sweeps", ylabel="KL from the enumerated distribution (nat)")
    arms = {"network": (BLUE, "o", -0.15, "no evidence"), "posterior": (ORANGE, "s", 0.15, "0 on, 1 off")}
    for name, (colour, marker, shift, label) in arms.items():
        exact = where(table, part="rate", name=name).groupby("x").exact.first()
        x = exact.index + shift
        middle.hlines(exact, x - 0.14, x + 0.14, color=colour, lw=1.2)
        means(middle, x, rates[name].values(), fmt=marker, color=colour, mfc="none", label=label)
    middle.set_xticks(exact.index)
    legend = {"ncols": 3, "loc": "upper center", "columnspacing": 1}
    finish(middle, "B", legend=legend, xlabel="neuron", ylabel="probability of being on", ylim=(-0.03, 1.2))
    curve, at = where(table, part="curve"), limits["noise"] | limits["network"]
    silent = limits["no noise"][0.0].mean()
    right.plot(curve.x, curve.exact, color=BLUE, lw=1.2, label="enumerated")
    means(right, list(at), at.values(), fmt="o", color=BLUE, mfc="white", label="network")
    right.axhline(silent, ls="--", color=GREEN, lw=1.2, label="no noise")
    log_axis(right, sorted(at))
    labels = {"xlabel": "scale of the noise", "ylabel": "limit of KL (nat)"}
    finish(right, "C", legend=legend, **labels, ylim=(0, 1.3 * max(curve.exact.max(), silent)))
    return figure
