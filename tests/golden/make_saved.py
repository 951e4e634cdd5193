"""Write small samples of every file that the package writes, with the values that loading or resuming them must give.

`python tests/golden/make_saved.py` writes the folder saved/ anew. Do so only in a change that means to alter a format or a result;
keep the samples of the old format then, in a folder of its own, and go on loading them. A change of where code stands leaves the
samples as they are. `tests/test_golden_files.py` loads them. The folder saved/first/ holds sweeps of the first version of the
manifest, which named classes by module; nothing writes it any more.
"""

from __future__ import annotations

import importlib.util
import json
import lzma
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import Hz, ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro import measures

if __package__:
    from . import make
else:
    import make

SAVED = Path(__file__).parent / "saved"
DT, DURATION = 0.5 * ms, 60 * ms
CELL = nsnn.LIF(
    tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=np.array([2.0, 2.0, 4.0]) * ms
)
NOTES: dict[str, Any] = {
    "animal": "µ-17",
    "depths": (1.5, None),
    "weights": {"a": [1, 2.25], "b": "three"},
    "gain": 2.5 * pq.mV,
    "table": np.arange(6.0).reshape(2, 3),
    "raw": b"\x00\xff",
    "open": float("inf"),
}
BLOCKS = ("neurons", "network", "streamed")
EPOCHS, KEPT = 4, 2
GRID = {"noise.sigma": [2 * mV, 3 * mV], "stimulus.v": [15 * mV, 21 * mV]}


def neurons(out: Path | None = None) -> neo.Block:
    """Two trials of three neurons, with the traces of v unless written to `out` during the run."""
    recorded = {} if out else {"record_v": True}
    return nsnn.simulate(
        CELL,
        nsnn.OUNoise(4 * mV, 5 * ms, shared=0.3),
        nsnn.Sinusoid(mean=26 * mV, amplitude=4 * mV, frequency=30 * Hz),
        n_neurons=3,
        trials=2,
        duration=DURATION,
        dt=DT,
        seed=21,
        engine="numpy",
        out=out,
        **recorded,
    )


def network() -> neo.Block:
    """Two populations with a projection, whose membranes are recorded."""
    first = nsnn.Population(
        3, CELL, noise=nsnn.WhiteNoise(4 * mV), stimulus=nsnn.Constant(21 * mV), name="first"
    )
    second = nsnn.Population(
        2,
        nsnn.NSNNNeuron(),
        noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)),
        stimulus=nsnn.Constant(0.1),
        name="second",
    )
    projection = nsnn.Projection(first, second, rule=nsnn.FixedProbability(0.9), weight=nsnn.Normal(0.4, 0.1))
    return nsnn.simulate(
        nsnn.Network([first, second], [projection], seed=22),
        trials=2,
        duration=DURATION,
        dt=DT,
        seed=23,
        engine="numpy",
        record_v=True,
    )


def contents(block: neo.Block) -> dict[str, Any]:
    """Spike times (s) by trial and neuron, signals, and what the annotations say of the run."""
    return {
        "spikes": [
            [np.asarray(t.rescale("s").magnitude).tolist() for t in s.spiketrains] for s in block.segments
        ],
        "signals": [
            [
                {
                    "name": a.name,
                    "unit": a.dimensionality.string,
                    "rate": float(a.sampling_rate.rescale("Hz").magnitude),
                    "values": np.asarray(a.magnitude).tolist(),
                }
                for a in s.analogsignals
            ]
            for s in block.segments
        ],
        "annotations": {
            key: block.annotations[key]
            for key in ("seed", "dt", "parameters", "populations", "versions", "git_revision")
            if key in block.annotations
        },
    }


def swept(out: Path | None, **options: Any) -> Any:
    """A grid of two by two points with common random numbers, point by point."""
    given: dict[str, Any] = {
        "noise": nsnn.WhiteNoise(3 * mV),
        "stimulus": nsnn.Constant(18 * mV),
        "measures": [measures.firing_rate, measures.cv],
        "trials": 2,
        "duration": 100 * ms,
        "dt": DT,
        "seed": 24,
        "n_neurons": 3,
        "common_noise": True,
        "engine": "numpy",
        "chunk": 1,
    }
    return nsnn.sweep(CELL, GRID, out=out, **given | options)


def _die_after_one(out: Path) -> None:
    def progress(fraction: float) -> None:
        if len(list(out.glob("chunk-*.json"))) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    swept(out, progress=progress)


def killed_sweep(out: Path) -> None:
    """The folder of a sweep whose process is killed after its first chunk."""
    process = multiprocessing.get_context("fork").Process(target=_die_after_one, args=(out,))
    process.start()
    process.join()


def table_rows(table: Any) -> dict[str, Any]:
    """A sweep's table as plain columns."""
    plain = table.astype(object).where(table.notna(), None)
    return {name: [_python(v) for v in plain[name]] for name in plain.columns}


def _python(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def trained(formulation: str, epochs: int, checkpoint: Path | None, progress: Any = None) -> dict[str, Any]:
    """History and weights of `train`; the output learns by momentum or Adam, whose state a checkpoint keeps."""
    optimizer = nsnn.Adam() if formulation == "fast" else nsnn.Momentum()
    rule = nsnn.NDL(0.05, optimizer=optimizer)
    net = nsnn.feedforward([6, 5, 3], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), plasticity=rule, seed=3)
    fit = nsnn.train(
        net,
        make.patterns(),
        loss=nsnn.losses.rate_mse,
        epochs=epochs,
        batch=8,
        n_steps=6,
        seed=25,
        formulation=formulation,
        keep="last",
        engine="numpy",
        checkpoint=checkpoint,
        progress=progress,
    )
    weights = [np.ravel(w).tolist() for w in fit.network.get_weights()]
    return {"history": history(fit), "weights": weights, "best_epoch": fit.best_epoch}


def history(fit: Any) -> dict[str, list[float]]:
    """The columns of a history, without the time that it took."""
    return {name: fit.history[name].tolist() for name in fit.history.columns.drop("seconds")}


def classifier() -> Any:
    """A classifier of torch with the weights of a fixed seed."""
    import torch

    from nsnn_neuro import deep

    with torch.random.fork_rng():  # layers draw their first weights
        net = torch.nn.Sequential(
            torch.nn.Linear(6, 5),
            deep.NoisySpike(nsnn.Gaussian(0.4), learn_noise=True),
            torch.nn.Linear(5, 3),
            deep.NoisySpike(nsnn.Logistic(0.25)),
        )
    rng = np.random.default_rng(26)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if "weight" in name or "bias" in name:
                p.copy_(torch.as_tensor(0.5 * rng.standard_normal(tuple(p.shape))))
    return deep.Classifier(net.double(), n_steps=6)


def deep_fit(epochs: int, checkpoint: Path | None, progress: Any = None) -> Any:
    """The `Fit` of `deep.fit`."""
    from nsnn_neuro import deep

    return deep.fit(
        classifier(),
        make.patterns(),
        loss=nsnn.losses.rate_mse,
        epochs=epochs,
        batch=8,
        optimizer=nsnn.Momentum(),
        eta=0.02,
        seed=27,
        checkpoint=checkpoint,
        progress=progress,
    )


def state(module: Any) -> dict[str, list[float]]:
    """The parameters of a torch module."""
    return {name: p.detach().numpy().ravel().tolist() for name, p in module.named_parameters()}


def deep_results(fit: Any) -> dict[str, Any]:
    """History and parameters of a `deep.Fit`."""
    return {"history": history(fit), "parameters": state(fit.module), "best_epoch": fit.best_epoch}


def configured(name: str) -> dict[str, Any]:
    """What a configuration file stands for: its models and arguments as plain data, and the table of its sweep."""
    from nsnn_neuro.cli.main import main

    with tempfile.TemporaryDirectory() as folder:
        if main(["sweep", str(SAVED / name), "--output", f"{folder}/out"]):
            raise RuntimeError(name)
        if main(["simulate", str(SAVED / name), "--seed", "28", "--output", f"{folder}/run.nwb"]):
            raise RuntimeError(name)
        block = nsnn.load(f"{folder}/run.nwb")
        table = pd.read_csv(Path(folder) / "out" / "table.csv")
    found = contents(block)
    return {
        "table": table_rows(table),
        "parameters": found["annotations"]["parameters"],
        "spikes": found["spikes"],
    }


CONFIGURATIONS = ("grid.toml", "points.toml")
"""written by hand"""


def main() -> None:
    """Write the samples and expected.json."""
    expected: dict[str, Any] = {}
    SAVED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        blocks = {"neurons": neurons(), "network": network(), "streamed": neurons(folder / "streamed.nwb")}
        blocks["neurons"].annotate(**NOTES)
        for name, block in blocks.items():
            if name != "streamed":
                nsnn.save(block, folder / f"{name}.nwb")
            data = lzma.compress((folder / f"{name}.nwb").read_bytes(), preset=9)
            (SAVED / f"{name}.nwb.xz").write_bytes(data)
            expected[name] = contents(block)
        for name in ("finished", "unfinished"):
            shutil.rmtree(SAVED / name, ignore_errors=True)
        expected["sweep"] = table_rows(swept(SAVED / "finished"))
        killed_sweep(SAVED / "unfinished")
        for lock in SAVED.rglob("sweep.lock"):
            lock.unlink()
    for formulation in ("fast", "online"):
        path = SAVED / f"{formulation}.npz"
        path.unlink(missing_ok=True)
        trained(formulation, KEPT, path)
        expected[f"train, {formulation}"] = trained(formulation, EPOCHS, None)
    expected |= {name: configured(name) for name in CONFIGURATIONS}
    if importlib.util.find_spec("torch") is None:
        raise SystemExit("the samples of nsnn_neuro.deep need torch")
    from nsnn_neuro import deep

    (SAVED / "deep.npz").unlink(missing_ok=True)
    deep_fit(KEPT, SAVED / "deep.npz")
    finished = deep_fit(EPOCHS, None)
    deep.save(finished.module, SAVED / "classifier.pt")
    expected["deep.fit"] = deep_results(finished)
    (SAVED / "expected.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")
    size = sum(p.stat().st_size for p in SAVED.rglob("*") if p.is_file())
    print(f"{len(expected)} samples, {size / 1024:.0f} KiB", file=sys.stderr)


if __name__ == "__main__":
    main()
