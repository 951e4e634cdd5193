"""Recorded neurons of the study `information_transfer`: coherence with the stimulus and bound of the information rate."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import second
from scipy.io import loadmat

import nsnn_neuro as nsnn
from nsnn_neuro import FormatError, measures

from ..harness import Claim, Progress, secondary
from ..shared.recordings import folder
from ..shared.tables import where

PUBLISHED = {"grasshopper 1": 118.3, "grasshopper 2": 77.7}
"""bit/s; independent calculation from the same data with the same settings"""
FLY = "fly H1"


def fly(place: Path | None = None) -> tuple[neo.Block, neo.AnalogSignal] | None:
    """H1 neuron of a blowfly, 20 minutes in bins of 2 ms, and the stimulus velocity (deg/s); None if the recording is absent.

    Recorded by R. de Ruyter van Steveninck; exercise 8 of chapter 1 of Dayan & Abbott 2001 (ISBN 978-0-262-04199-7).
    """
    place = folder("fly_H1") if place is None else place
    if place is None:
        return None
    try:
        with zipfile.ZipFile(place / "c1p8.zip") as archive:
            data = loadmat(io.BytesIO(archive.read("c1p8.mat")), squeeze_me=True)
        counts, velocity = np.asarray(data["rho"]), np.asarray(data["stim"], dtype=float)
        if counts.ndim != 1 or counts.shape != velocity.shape or counts.size < 2:
            raise ValueError(f"shapes {counts.shape} and {velocity.shape}: expected one for both")
        if not np.isin(counts, (0, 1)).all() or not np.isfinite(velocity).all():
            raise ValueError("spikes other than 0 and 1, or a velocity that isn't finite")
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"{place}: can't be read: {error}") from None
    times = (np.flatnonzero(counts) + 0.5) * 2e-3
    block = nsnn.to_block([[times]], t_stop=counts.size * 2e-3 * second)
    return block, neo.AnalogSignal(velocity, units="deg/s", sampling_rate=500 * pq.Hz)


def rows(progress: Progress) -> list[dict[str, Any]]:
    """Rows with coherence, rate and bound of each available recording."""
    out: list[dict[str, Any]] = []
    for which in (1, 2):
        block = nsnn.datasets.grasshopper(which)
        level = nsnn.datasets.envelope_db(block)
        out += measured(f"grasshopper {which}", block, level, block.annotations["cutoff_hz"] * pq.Hz)
    recording = fly()
    if recording is None:
        progress("no recording of the fly H1 neuron: skipped")
        return out
    return out + measured(FLY, *recording, None)


def measured(name: str, block: neo.Block, signal: neo.AnalogSignal, cutoff: Any) -> list[dict[str, Any]]:
    """Rows of one recording, by Welch's method with segments of 512 samples, half overlap and no correction, as published."""
    f, c = measures.coherence(signal, block, nperseg=512, noverlap=256)
    info = measures.coherence_information(signal, block, f_max=cutoff, n_shuffle=0)
    shown = f <= (f[-1] if cutoff is None else 1.2 * float(cutoff))
    base = {"part": "recorded", "source": name}
    return [
        {**base, "quantity": "rate", "value": float(measures.firing_rate(block)[0])},
        {**base, "quantity": "bound", "value": float(info), "se": info.se},
        *(
            {**base, "quantity": "coherence", "x": x, "value": v}
            for x, v in zip(f[shown], c[shown], strict=True)
        ),
    ]


def value(table: pd.DataFrame, name: str, quantity: str) -> float:
    """A quantity of a recorded neuron."""
    rows = where(table, part="recorded", source=name, quantity=quantity)
    return float(rows.value.iloc[0])


def names(table: pd.DataFrame) -> list[str]:
    """Names of the recorded neurons in the table."""
    return list(dict.fromkeys(table[table.part == "recorded"].source))


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims that the measures reproduce known values of the recorded neurons."""
    bounds = {name: value(table, name, "bound") for name in names(table) if name in PUBLISHED}
    claims_of_bounds = [
        Claim(
            "the measures reproduce the known bounds of two grasshopper receptors, to 0.1 bit/s",
            len(bounds) == 2 and all(abs(bounds[name] - PUBLISHED[name]) < 0.1 for name in bounds),
            "; ".join(f"{name}: {b:.1f} bit/s, known {PUBLISHED[name]:g}" for name, b in bounds.items()),
        )
    ]
    if FLY not in names(table):
        return claims_of_bounds
    curve = where(table, part="recorded", source=FLY, quantity="coherence")
    peak, bound = curve.loc[curve.value.idxmax()], value(table, FLY, "bound")
    text = "the measures reproduce the known coherence of the fly H1 neuron: maximum .708 (to .001), within .5 Hz of 2 Hz"
    holds = abs(peak.value - 0.708) < 0.001 and abs(peak.x - 2) < 0.5
    evidence = f"maximum {peak.value:.3f} at {peak.x:.2f} Hz; its bound, {bound:.1f} bit/s, depends on how the mean is subtracted"
    return [*claims_of_bounds, secondary(text, holds, evidence)]


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rate, bound and bits per spike of the recorded neurons."""
    shown = []
    for name in names(table):
        rate, bound = value(table, name, "rate"), value(table, name, "bound")
        row = {"neuron": name, "rate (Hz)": f"{rate:.1f}", "raw bound (bit/s)": f"{bound:.1f}"}
        shown.append({**row, "raw bound per spike (bit)": f"{bound / rate:.2f}"})
    return {"Recorded neurons": pd.DataFrame(shown)}
