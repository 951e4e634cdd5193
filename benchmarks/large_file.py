"""Memory, time and bytes of a large NWB file: ten of 500 units, a pair, and measures of all; in a file, and at an address.

`python benchmarks/large_file.py [--spikes N] [--units N] [--page]` writes a file of 10^8 spikes (0.8 GB) and a field potential of
one channel (40 MB) to the folder for temporary files, and deletes it. Each task runs in a process of its own. Seconds are those of
the processor, memory is the peak above that of the imported modules, bytes are those that the process reads or the server sends.
pynapple, where it is installed, reads the same file. `--page` keeps the results of a full run in docs/large_file.json; a test
compares them with the table in docs/performance.md, which is printed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from environment import machine
from fit_neuron import peak

KEPT = Path(__file__).resolve().parents[1] / "docs" / "large_file.json"
SPIKES, UNITS, RATE, SAMPLING = 10**8, 500, 20.0, 1000.0  # RATE and SAMPLING: Hz


def write(path: Path, n_spikes: int, n_units: int) -> None:
    """Poisson trains of equal numbers of spikes, written unit by unit into a file that pynwb has laid out."""
    import pynwb
    from hdmf.backends.hdf5 import H5DataIO

    each, rng = n_spikes // n_units, np.random.default_rng(0)
    duration = each / RATE
    growing: dict[str, Any] = {"maxshape": (None,), "chunks": (2**17,)}
    session = pynwb.NWBFile("large", "large", datetime(2026, 1, 1, tzinfo=UTC))
    for _ in range(n_units):
        session.add_unit(spike_times=[0.0], obs_intervals=[[0.0, duration]])
    session.units.spike_times.set_data_io(H5DataIO, growing)
    data = H5DataIO(np.zeros(2, "f4"), **growing)
    session.add_acquisition(pynwb.TimeSeries(name="lfp", data=data, unit="V", rate=SAMPLING))
    with pynwb.NWBHDF5IO(path, "w") as file:
        file.write(session)
    with h5py.File(path, "r+") as file:
        for name, size in (
            ("units/spike_times", n_spikes),
            ("acquisition/lfp/data", int(duration * SAMPLING)),
        ):
            file[name].resize((size,))
        for k in range(n_units):
            file["units/spike_times"][k * each : (k + 1) * each] = np.sort(rng.uniform(0, duration, each))
        about = dict(file["units/spike_times_index"].attrs)
        del file["units/spike_times_index"]  # whose integers are as short as its values were
        file["units/spike_times_index"] = np.arange(1, n_units + 1, dtype=np.uint64) * each
        file["units/spike_times_index"].attrs.update(about)
        file["acquisition/lfp/data"][...] = rng.normal(size=file["acquisition/lfp/data"].size)


class Ranges(BaseHTTPRequestHandler):
    """Sends the parts of the server's file that are asked for, and counts their bytes."""

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """Send one part."""
        server: Any = self.server
        size = server.file.stat().st_size
        first, last = (int(one) for one in re.findall(r"\d+", self.headers["Range"]))
        with server.file.open("rb") as file:
            file.seek(first)
            body = file.read(min(last + 1, size) - first)
        server.sent += len(body)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{size}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def tasks(ten: list[int]) -> dict[str, tuple[bool, Callable[[str], Any]]]:
    """Name -> whether the file is at an address, and what is done with it."""
    import quantities as pq

    import nsnn_neuro as nsnn
    from nsnn_neuro import measures

    def pair(path: str) -> Any:
        block = nsnn.load(path, units=ten[:2], signals=False)
        return measures.cross_correlogram(block, (0, 1), bin_width=1 * pq.ms, max_lag=50 * pq.ms)

    def of_pynapple(path: str) -> Any:
        import pynapple

        units = pynapple.load_file(path)["units"]
        return [units[k] for k in ten]

    functions = [measures.firing_rate, measures.cv, partial(measures.fano_factor, window=1 * pq.s)]
    load = partial(nsnn.load, units=ten)
    return {
        "`load(path, units=ten, signals=False)`": (False, partial(load, signals=False)),
        "the same at an address": (True, partial(load, signals=False)),
        "at an address, with the field potential": (True, load),
        "correlogram of two units": (False, pair),
        "`tabulate(path, [firing_rate, cv, fano_factor])`, all units": (False, lambda path: measures.tabulate(path, functions)),
        "`load(path)`, all units": (False, nsnn.load),
        "pynapple, the same ten units": (False, of_pynapple),
    }  # fmt: skip


def bytes_read() -> float:
    """What this process has read so far; NaN where the system does not say."""
    counted = Path("/proc/self/io")
    return float(re.findall(r"\d+", counted.read_text())[0]) if counted.exists() else float("nan")


def run(name: str, path: str, small: str, ten: list[int]) -> None:
    """One task; prints what it took as JSON. A small file comes first, so that modules are imported and code is compiled."""
    warnings.simplefilter("ignore")
    task = tasks(ten)[name][1]
    task(small)
    before, memory, begun = bytes_read(), peak("VmRSS"), time.process_time()
    task(path)
    took = {
        "seconds": time.process_time() - begun,
        "memory": peak("VmHWM") - memory,
        "bytes": bytes_read() - before,
    }
    print(json.dumps(took))


def table(rows: dict[str, dict[str, float]]) -> str:
    """The results as a table of Markdown."""
    lines = ["| task | processor (s) | memory (MB) | bytes read (MB) |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {row['seconds']:.2g} | {1e3 * row['memory']:.0f} | {row['bytes'] / 1e6:.0f} |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Write the files, run the tasks, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spikes", type=int, default=SPIKES)
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--page", action="store_true", help="keep the results")
    parser.add_argument("--run", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        return run(*given.run)
    print(machine())
    ten, rows = list(range(0, given.units, given.units // 10))[:10], {}
    with tempfile.TemporaryDirectory() as folder, ThreadingHTTPServer(("127.0.0.1", 0), Ranges) as server:
        files: list[Any] = [Path(folder) / name for name in ("large.nwb", "small.nwb")]
        for path, n_spikes in zip(files, (given.spikes, 100 * given.units), strict=True):
            write(path, n_spikes, given.units)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        counting: Any = server
        counting.file, counting.sent = files[0], 0
        for name, (streamed, _) in tasks(ten).items():
            if name.startswith("pynapple") and find_spec("pynapple") is None:
                continue
            where = f"http://127.0.0.1:{server.server_port}/large.nwb" if streamed else str(files[0])
            call = [sys.executable, __file__, "--run", json.dumps([name, where, str(files[1]), ten])]
            counting.sent = 0
            rows[name] = json.loads(
                subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout
            )
            if streamed:
                rows[name]["bytes"] = counting.sent
        server.shutdown()
    print(table(rows))
    if given.page:
        KEPT.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    return None


if __name__ == "__main__":
    main()
