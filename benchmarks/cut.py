"""Trials around events: an NWB file of 10^7 spikes is loaded and cut into 2,000 trials.

`python benchmarks/cut.py [--spikes N] [--units N] [--trials N] [--quick] [--json FILE]` writes such a file, then loads and cuts it
in a process of its own, once as `load(trials=False)` and `cut`, once as `load(trials="trials")`: seconds of the processor and the
peak of memory. The goal is 5 s and 1.5 GB; measured on a Xeon core: 0.5 s and 1.9 s, 0.94 GB, and 2.3 s, 0.78 GB. The number of
spikes in all trials is compared with a loop over them in NumPy.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import h5py
import numpy as np
from comparison import Agreement, Comparison, Report, add_options
from environment import machine

RATE = 10.0  # Hz


def write(path: Path, n_spikes: int, n_units: int, n_trials: int) -> float:
    """A session of `n_units` Poisson trains with trials of one length, end to end; the duration in s."""
    rng = np.random.default_rng(0)
    duration = n_spikes / n_units / RATE
    unit = np.sort(rng.integers(0, n_units, n_spikes))
    times = rng.uniform(0, duration, n_spikes)
    counts = np.bincount(unit, minlength=n_units)
    for own in np.split(times, np.cumsum(counts)[:-1]):
        own.sort()
    starts = np.linspace(0, duration, n_trials + 2)[1:-1]
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        columns = {
            "units/id": np.arange(n_units), "units/spike_times": times, "units/spike_times_index": np.cumsum(counts),
            "units/obs_intervals": np.tile([0.0, duration], (n_units, 1)),
            "units/obs_intervals_index": np.arange(1, n_units + 1),
            "intervals/trials/id": np.arange(n_trials), "intervals/trials/start_time": starts,
            "intervals/trials/stop_time": starts + 0.9 * duration / (n_trials + 1),
        }  # fmt: skip
        for name, values in columns.items():
            file[name] = values
    return duration


def run(path: Path, way: str, window: float) -> None:
    """Load and cut the file at `path`, and print what it took as JSON."""
    import quantities as pq

    from nsnn_neuro import cut, load

    np.asarray(cut.__name__)  # names are imported when they are first used
    begun = time.process_time()
    if way == "cut":
        recording = load(path, trials=False)
        loaded = time.process_time()
        block = cut(recording, "trials", before=0.1 * window * pq.s, after=0.8 * window * pq.s)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            block = load(path, trials="trials")
        loaded = time.process_time()
    done = time.process_time()
    from nsnn_neuro.measures import spike_counts

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    total = int(spike_counts(block).sum())
    print(json.dumps({"load": loaded - begun, "cut": done - loaded, "peak": peak, "spikes": total}))


def expected(path: Path, before: float, after: float) -> int:
    """Spikes in all windows, by a loop over the trials."""
    with h5py.File(path) as file:
        times, starts = np.sort(file["units/spike_times"][:]), file["intervals/trials/start_time"][:]
    return sum(np.searchsorted(times, t + after) - np.searchsorted(times, t - before) for t in starts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spikes", type=int, default=10_000_000)
    parser.add_argument("--units", type=int, default=400)
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    add_options(parser)
    chosen = parser.parse_args()
    if chosen.run:
        return run(Path(chosen.run[0]), chosen.run[1], float(chosen.run[2]))
    numbers = (20_000, 10, 50) if chosen.quick else (chosen.spikes, chosen.units, chosen.trials)
    print(machine())
    report, size = Report(chosen.json), f"{numbers[0]} spikes, {numbers[1]} units, {numbers[2]} trials"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.nwb"
        window = write(path, *numbers) / (numbers[2] + 1)
        for way, before, after in (("cut", 0.1 * window, 0.8 * window), ("trials", 0.0, 0.9 * window)):
            command = [sys.executable, __file__, "--run", str(path), way, repr(window)]
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            spikes = Agreement("spikes in trials", result["spikes"], float(expected(path, before, after)))
            peak = f"{result['peak'] / 1e9:.2f} GB of memory"
            print(f"{way}: load {result['load']:.2f} s, cut {result['cut']:.2f} s, {peak}")
            name = "load and cut" if way == "cut" else 'load(trials="trials")'
            seconds = (result["load"] + result["cut"],)
            report.add(Comparison(name, size, seconds, agreement=spikes, goal="5 s, 1.5 GB"))
    return None


if __name__ == "__main__":
    main()
