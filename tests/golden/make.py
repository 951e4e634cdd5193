"""Compute the golden results: spikes, weights, tables, fits and measures of fixed seeds, through public names alone.

`python tests/golden/make.py` writes results.json and the sample files anew. Do so only in a change that means to alter a result,
and name the change in CHANGELOG; a refactoring leaves these files as they are. `tests/test_golden.py` compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import Hz, ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures

HERE = Path(__file__).parent
DT, DURATION = 0.1 * ms, 100 * ms
SCALE = {"v_rest": 0.0, "v_reset": 0.0, "v_thresh": 1.0}
UPSTROKE = {
    **SCALE,
    "tau_m": 10 * ms,
    "v_thresh": 0.5,
    "delta_T": 0.1,
    "v_spike": 2.0,
    "tau_refrac": 1.3 * ms,
}
NEURONS = {
    "LIF": nsnn.LIF(tau_m=10 * ms, tau_refrac=1.3 * ms, **SCALE),
    "PIF": nsnn.PIF(tau_m=10 * ms, tau_refrac=1.3 * ms, v_reset=0.0, v_thresh=1.0),
    "EIF": nsnn.EIF(**UPSTROKE),
    "QIF": nsnn.QIF(tau_m=10 * ms, v_rest=0.0, v_reset=-1.0, v_thresh=0.5, v_spike=5.0, tau_refrac=1 * ms),
    "AdEx": nsnn.AdEx(**UPSTROKE, tau_w=50 * ms, a=0.1, b=0.2),
    "GIF": nsnn.GIF(
        tau_m=10 * ms, tau_refrac=1.3 * ms, **SCALE, tau_w=30 * ms, b=0.1, tau_thresh=20 * ms, b_thresh=0.2
    ),
    "WangBuzsaki": nsnn.WangBuzsaki(),
    "NSNNNeuron": nsnn.NSNNNeuron(beta=0.8),
}
NOISES = {
    "WhiteNoise": nsnn.WhiteNoise(0.4, shared=0.2),
    "OUNoise": nsnn.OUNoise(0.4, 3 * ms, shared=0.2),
    "OUNoise, fast": nsnn.OUNoise(0.4, 0.2 * ms),
    "MultiplicativeNoise": nsnn.MultiplicativeNoise(0.3, -1.0, calculus="ito"),
    "ConductanceNoise": nsnn.ConductanceNoise(
        g_e=0.3, sigma_e=0.1, tau_e=3 * ms, e_rev_e=4.0, g_i=0.2, sigma_i=0.1, tau_i=10 * ms, e_rev_i=-1.0
    ),
    "ThresholdNoise": nsnn.ThresholdNoise(0.3),
    "PoissonNoise": nsnn.PoissonNoise(600 * Hz, 0.1, rate_inh=100 * Hz, weight_inh=-0.2),
    "PoissonInput": nsnn.PoissonInput(60 * Hz, 0.3, synapse=nsnn.ExponentialSynapse(3 * ms), n=10)
    + nsnn.PoissonInput(200 * Hz, 0.1, synapse=nsnn.ConductanceSynapse(5 * ms, 4.0)),
    "EscapeNoise": nsnn.EscapeNoise(nsnn.Logistic(0.1)),
    "EscapeNoise, hazard": nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(50 * Hz, 0.1)),
    "DoubleNoise": nsnn.DoubleNoise(0.2),
}
# the one neuron with a membrane in volts
IN_VOLTS = {"WhiteNoise": nsnn.WhiteNoise(2 * mV), "OUNoise": nsnn.OUNoise(2 * mV, 3 * ms, shared=0.2)}
# compiled: what no test of tests/brian compares with the NumPy target, whose spikes are those of the file
COMPILED = [("QIF", "MultiplicativeNoise"), ("EIF", "EscapeNoise, hazard")]


def spikes(block: neo.Block) -> list[list[list[int]]]:
    """Times of the spikes in half steps, by trial and neuron."""
    dt = float(DT / second)
    return [
        [
            np.rint(np.asarray(train.rescale("s").magnitude) / dt * 2).astype(int).tolist()
            for train in segment.spiketrains
        ]
        for segment in block.segments
    ]


def run(neuron: str, noise: str, engine: str) -> Any:
    """Spikes (in half steps), or the refusal, of one pair."""
    in_volts = neuron == "WangBuzsaki"
    drive = 10 * mV if in_volts else 0.15 if neuron == "NSNNNeuron" else 1.1
    try:
        block = nsnn.simulate(
            NEURONS[neuron],
            IN_VOLTS.get(noise, NOISES[noise]) if in_volts else NOISES[noise],
            nsnn.Constant(drive),
            n_neurons=3,
            trials=2,
            duration=DURATION,
            dt=DT,
            seed=11,
            engine=engine,
        )
    except nsnn.NsnnError:
        return "refused"
    return spikes(block)


def patterns() -> tuple[np.ndarray, np.ndarray]:
    """Images of six pixels, two of which are bright for each of three classes."""
    rng = np.random.default_rng(0)
    y = np.arange(48) % 3
    X = 0.2 * rng.random((48, 6))
    X[np.arange(48), 2 * y] += 0.7
    X[np.arange(48), 2 * y + 1] += 0.7
    return X, y


def trained(formulation: str) -> list[list[float]]:
    """Weights after two epochs of `train`."""
    net = nsnn.feedforward(
        [6, 5, 3], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), plasticity=nsnn.NDL(0.2), seed=3
    )
    fit = nsnn.train(
        net,
        patterns(),
        loss=nsnn.losses.rate_mse,
        epochs=2,
        batch=8,
        n_steps=6,
        seed=5,
        formulation=formulation,
        keep="last",
        engine="numpy",
    )
    return [np.ravel(w).tolist() for w in fit.network.get_weights()]


def trained_in_torch() -> list[list[float]]:
    """Parameters after two epochs of `deep.fit`."""
    import torch

    from nsnn_neuro import deep

    rng = np.random.default_rng(2)
    with torch.random.fork_rng():  # layers draw their first weights
        net = torch.nn.Sequential(
            torch.nn.Linear(6, 5),
            deep.NoisySpike(nsnn.Gaussian(0.4)),
            torch.nn.Linear(5, 3),
            deep.NoisySpike(nsnn.Gaussian(0.4)),
        )
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.as_tensor(0.5 * rng.standard_normal(tuple(p.shape))))
    classifier = deep.Classifier(net.double(), n_steps=6)
    fit = deep.fit(classifier, patterns(), loss=nsnn.losses.rate_mse, epochs=2, batch=8, eta=0.02, seed=5)
    return [p.detach().numpy().ravel().tolist() for p in fit.module.parameters()]


def signal() -> neo.AnalogSignal:
    """White Gaussian stimulus, 4 s at 1 kHz."""
    return neo.AnalogSignal(
        np.random.default_rng(7).standard_normal(4000), units="dimensionless", sampling_rate=1 * pq.kHz
    )


def responses() -> list[neo.SpikeTrain]:
    """Three trials of spikes that follow `signal`."""
    x = np.asarray(signal().magnitude).ravel()
    rate = 0.03 * np.exp(0.8 * x)
    rng = np.random.default_rng(8)
    return [
        neo.SpikeTrain((np.flatnonzero(rng.random(x.size) < rate) + 0.5) * pq.ms, t_stop=4 * pq.s)
        for _ in range(3)
    ]


def fitted() -> dict[str, Any]:
    """Parameters, standard errors and log-likelihood of a maximum likelihood fit."""
    fit = nsnn.fit_neuron(responses(), signal(), dt=1 * ms, stimulus=3, history=2, family=nsnn.Logistic(1.0))
    return {
        "parameters": dict(fit.parameters),
        "se": dict(fit.se),
        "log_likelihood": float(fit.log_likelihood),
    }


def block() -> neo.Block:
    """Spikes of three neurons in twelve trials of two conditions."""
    rng = np.random.default_rng(9)
    trials = [
        [np.sort(rng.uniform(0, 1, rng.poisson(20 + 15 * (k % 2) + 5 * j))) for j in range(3)]
        for k in range(12)
    ]
    return nsnn.to_block(trials, t_stop=1 * second)


LABELS = np.arange(12) % 2
MEASURES: dict[str, Callable[[], Any]] = {
    "firing_rate": lambda: measures.firing_rate(block()),
    "cv": lambda: measures.cv(block()),
    "cv2": lambda: measures.cv2(block()),
    "lv": lambda: measures.lv(block()),
    "lvr": lambda: measures.lvr(block()),
    "fano_factor": lambda: measures.fano_factor(block()),
    "allan_factor": lambda: measures.allan_factor(block(), window=0.1 * pq.s),
    "serial_correlation": lambda: measures.serial_correlation(block()),
    "spike_time_tiling": lambda: measures.spike_time_tiling(block(), dt=5 * pq.ms),
    "noise_correlation": lambda: measures.noise_correlation(block(), stimulus=LABELS),
    "victor_purpura": lambda: measures.victor_purpura(responses(), cost=50 * pq.Hz),
    "van_rossum": lambda: measures.van_rossum(responses(), tau=20 * pq.ms),
    "isi_distance": lambda: measures.isi_distance(responses()),
    "spike_distance": lambda: measures.spike_distance(responses()),
    "schreiber_reliability": lambda: measures.schreiber_reliability(responses(), sigma=5 * pq.ms),
    "gamma_coincidence": lambda: measures.gamma_coincidence(responses(), precision=2 * pq.ms),
    "coherence": lambda: measures.coherence(signal(), responses(), nperseg=256, noverlap=128)[1],
    "words": lambda: measures.words(block(), bin_width=0.1 * pq.s).sum(axis=(0, 2)),
    "mutual_information": lambda: float(
        measures.mutual_information(
            LABELS, measures.spike_counts(block())[:, 0], bias="panzeri-treves", n_shuffle=5
        )
    ),
    "information_per_spike": lambda: float(
        measures.information_per_spike(responses(), bin_width=20 * pq.ms, n_shuffle=5)
    ),
    "linear_fisher_information": lambda: float(
        measures.linear_fisher_information(
            measures.spike_counts(block())[LABELS == 0],
            measures.spike_counts(block())[LABELS == 1],
            1.0,
            n_shuffle=5,
        )
    ),
    "spike_triggered_average": lambda: (
        measures.spike_triggered_average(signal(), responses(), before=20 * pq.ms, after=5 * pq.ms).average
    ),
}


def swept(out: Path | None = None) -> list[list[Any]]:
    """Rows of a small sweep."""
    table = nsnn.sweep(
        NEURONS["LIF"],
        {"noise.sigma": [0.2, 0.4], "stimulus.v": [0.8, 1.1]},
        noise=nsnn.WhiteNoise(0.3),
        stimulus=nsnn.Constant(1.0),
        measures=[measures.firing_rate, measures.cv],
        trials=2,
        duration=200 * ms,
        dt=DT,
        seed=[1, 2],
        engine="numpy",
        out=out,
    )
    return [[str(row.measure), int(row.seed), float(row.value), float(row.se)] for row in table.itertuples()]


def results() -> dict[str, Any]:
    """Everything that NumPy computes; `compiled` are the spikes of the Cython target."""
    found: dict[str, Any] = {
        f"simulate {neuron}, {noise}": run(neuron, noise, "numpy") for neuron in NEURONS for noise in NOISES
    }
    found |= {f"train, {formulation}": trained(formulation) for formulation in ("fast", "online")}
    found |= {f"measure {name}": np.asarray(call(), dtype=float).tolist() for name, call in MEASURES.items()}
    return found | {"fit": fitted(), "sweep": swept()}


if __name__ == "__main__":
    found = results() | {"deep.fit": trained_in_torch()}
    (HERE / "results.json").write_text(json.dumps(found) + "\n", encoding="utf-8")
    print(f"{len(found)} results", file=sys.stderr)
