"""Recorded neurons, each fitted by likelihood with several models: docs/recorded_cells.json and two tables of docs/likelihood.md.

python -m docs.recorded_cells WORD ... adds recordings whose name has one of the words (half a minute of CPU each), and writes the
tables; without words it only writes them. Receptors, cortical neuron (with the mean current of its repeats) and P-units are those
of the study `fit_recordings`, with its steps, split and calibrated neurons. 30 s of H1 of a blowfly and of a retinal cell are
textbook data. `analysis.shared.recordings` names the sources: only the receptors are part of the repository.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import quantities as pq
from brian2 import ms, second
from scipy.io import loadmat

import nsnn_neuro as nsnn
from analysis.fit_recordings.calibrated import GIF, LIF, drives, neuron
from analysis.fit_recordings.config import Config
from analysis.fit_recordings.data_sets import Nothing, Recording, analog, recordings
from analysis.shared.recordings import folder
from nsnn_neuro import NsnnError
from nsnn_neuro.likelihood import Poisson, RaisedCosines, compare_models, fit_states

RESULTS, PAGE = (Path(__file__).with_name(name) for name in ("recorded_cells.json", "likelihood.md"))
MODELS = ("Poisson GLM", GIF, LIF, "two states")
HEAD = f"| recording, held-out spikes | {' | '.join(MODELS)} | strongest misfit |\n{'|---' * 6}|\n"
TAIL = "| model | recordings | best | not rejected by time rescaling | no misfit |\n|---|---|---|---|---|\n"
SCORES = ("bits_per_spike", "bits_behind", "misfits", "rate", "cv")


def available() -> Iterator[Recording]:
    """The recordings that are there, but for the P-unit with a known field: docs/punits.py fits it in shorter steps."""
    for r in recordings(Config(relays=())):
        if not (r.kind == "P-unit" and r.stimulated):
            mean = analog(np.mean([signal.magnitude for signal in r.signals], axis=0), r.dt)
            yield replace(r, signals=[mean], bases=r.bases[2 if r.kind == "grasshopper" else 1 :])
    if (place := folder("fly_H1")) is not None:
        with zipfile.ZipFile(place / "c1p8.zip") as file:
            data = loadmat(io.BytesIO(file.read("c1p8.mat")), squeeze_me=True)
        speed, times = data["stim"][:15_000, None] / 50, 2e-3 * np.flatnonzero(data["rho"][:15_000]) + 1e-3
        given: Any = [times], [analog(speed, 2e-3)], 2e-3, (19.6, 30.0)
        yield Recording("fly", "fly H1", *given, ({"stimulus": RaisedCosines(16, 100 * pq.ms)},), 2e-3)
    if (place := folder("case_studies_spikes")) is not None:
        for light in ("Low", "High"):
            times = loadmat(place / "08_spikes-1.mat", squeeze_me=True)[f"Spikes{light}"]
            given = [times], [analog([[0.0]], 1e-3)], 1e-3, (19.6, 30.0), ({"stimulus": Nothing()},), 2e-3
            yield Recording("retina", f"retina, {light.lower()} light", *given)


def fitted(r: Recording, name: str, given: dict[str, Any]) -> Any:
    """A model, fitted to the first part."""
    if name in (MODELS[0], "two states"):
        given |= {"signal": r.signals[0], "stimulus": r.bases[0]["stimulus"]} if r.stimulated else {}
        past = RaisedCosines(12, 100 * pq.ms, start=r.dt * pq.s, offset=3 * pq.ms)
        given |= {"history": past, "family": Poisson()}
        if name == MODELS[0]:
            return nsnn.fit_neuron(**given, ridge="cv")
        return fit_states(**given, ridge=1.0, n_states=2)
    cell, noise, free = neuron(r, GIF if name == GIF else LIF)
    (stimulus,), of_drive, _ = next(drives(r, GIF if name == GIF else LIF))
    if r.kind == "fly":
        stimulus, free["stimulus.delay"] = replace(stimulus, delay=20 * ms), (0 * ms, 60 * ms)
    return nsnn.calibrate(cell, free | of_drive, noise=noise, stimulus=stimulus, **given, progress=False)


def evaluated(r: Recording) -> dict[str, Any]:
    """Scores of all models on the held-out part."""
    block = nsnn.to_block([[train] for train in r.trains], t_stop=r.borders[1] * pq.s)
    data = {"trains": block, "t_stop": r.borders[0] * second, "dt": r.dt * second}
    held: dict[str, Any] = {"t_start": r.borders[0] * second, "t_stop": r.borders[1] * second}
    signal, names = (r.signals[0], MODELS[:3]) if r.stimulated else (None, MODELS)
    with warnings.catch_warnings(
        action="ignore"
    ):  # parameters at bounds and flat likelihoods are common here
        fits = {}
        for name in names:
            with contextlib.suppress(NsnnError):  # parameters that cannot be distinguished: an empty cell
                fits[name] = fitted(r, name, dict(data))
        scores = compare_models(fits, block, signal, precision=r.precision * pq.s, **held)
    results: dict[str, Any] = {}
    for name, fit in fits.items():
        given = (signal,) if "signal" in fit.takes else ()
        tests, some = fit.misfit(block, *given, **held), scores[scores.model == name].set_index("score")
        strongest, n = tests.loc[tests.p.idxmin()], int(some.n["bits_per_spike"])
        results[name] = {
            "p": fit.rescaled(block, *given, n_seeds=20, **held).p,
            "tests": int(tests.q.count()),
        }
        results[name] |= {"n": n, "strongest": strongest.test, "advice": strongest.advice}
        results[name] |= {score: float(some.value[score]) for score in SCORES}
        results[name] |= {f"{score} se": float(some.se[score]) for score in SCORES[:2]}
        results[name]["parameters"] = {key: float(f"{value:.4g}") for key, value in fit.parameters.items()}
    return results


def is_best(one: dict[str, Any]) -> bool:
    """Whether a model is the best of a recording, or behind it by at most two paired errors."""
    return bool(one["bits_behind"] <= 2 * one["bits_behind se"])


def row(name: str, result: dict[str, Any]) -> str:
    """A row of the first table."""
    cells = dict.fromkeys(MODELS, "")
    for model, one in result.items():
        score = f"{one['bits_per_spike']:.2f} ± {one['bits_per_spike se']:.2f}"
        p = f"{one['p']:.1g}" if one["p"] > 1e-4 else "<1e-4"
        cells[model] = (
            f"{f'**{score}**' if is_best(one) else score}; {p}; {one['misfits']:.0f}/{one['tests']}"
        )
    first = min(result.values(), key=lambda one: one["bits_behind"])
    return f"| {name}, {first['n']} | {' | '.join(cells.values())} | {first['strongest'] if first['misfits'] else ''} |\n"


def count(name: str, results: dict[str, Any]) -> str:
    """A row of the second table."""
    every = [result[name] for result in results.values() if name in result]
    p, misfit = sum(one["p"] > 0.05 for one in every), sum(one["misfits"] == 0 for one in every)
    return f"| {name} | {len(every)} | {sum(map(is_best, every))} | {p} | {misfit} |\n"


def main(words: list[str]) -> None:
    """Add recordings, and write the tables."""
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    for r in available():
        if r.name not in results and any(word in r.name for word in words):
            results[r.name] = evaluated(r)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    text, rows = PAGE.read_text("utf-8"), "".join(row(name, results[name]) for name in sorted(results))
    begin, end = text.index(HEAD), text.index("\n\n", text.index(TAIL))
    counts = "".join(count(name, results) for name in MODELS)
    PAGE.write_text(text[:begin] + HEAD + rows + "\n" + TAIL + counts + text[end + 1 :], "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
