"""`nsnn info`: print versions and engines, or what a file contains."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator
from typing import Any

from .output import counted, printable, show, size_of, version


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a recording; without it: versions and engines"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print names and values."""
    lines = _about_installation() if arguments.file is None else _about_file(arguments.file)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        show(printable(f"{name.ljust(width)}  {value}") + "\n")


def _about_installation() -> list[tuple[str, str]]:
    from ..brian.find_compiler import find_compiler
    from ..io.provenance import provenance

    result = find_compiler() is not None
    return [
        *(provenance()["versions"] | {"nsnn_neuro": version()}).items(),
        ("platform", platform.platform()),
        ("compiler", "found" if result else "no C++ compiler: runs use NumPy code, several times slower"),
        ("engines", "auto (default): numpy, cpp, cython" if result else "numpy"),
    ]


def _about_file(path: str) -> list[tuple[str, str]]:
    from ..io.save_load import load
    from ..measures import as_trains
    from ..measures.table import populations_of

    # of an address a field would be most of what is downloaded
    block = load(path, signals="://" not in path)
    trains, annotations = as_trains(block), dict(block.annotations)
    low, high = trains.durations.min(), trains.durations.max()
    lines = [
        ("file", path),
        ("size", size_of(block)),
        ("duration", f"{low:.6g} s" if high - low <= 1e-9 * high else f"{low:.6g} to {high:.6g} s"),
    ]
    populations = populations_of(block, trains.n_neurons)
    annotations.pop("populations", None)
    for name, size in populations if len(populations) > 1 else []:
        lines.append(("population", f"{name}, {counted(size, 'neuron')}"))
    for signal in block.segments[0].analogsignals:
        rate, unit = float(signal.sampling_rate.rescale("Hz").magnitude), signal.dimensionality.string
        channels = counted(signal.shape[1], "channel")
        lines.append(("signal", f"{signal.name}, {channels}, {unit}, {rate:.6g} Hz (of trial 0)"))
    kept = ("parameters", "versions")
    parameters, versions = (annotations.pop(k) if isinstance(annotations.get(k), dict) else {} for k in kept)
    if "dt" in annotations:
        annotations["dt"] = {"value": annotations["dt"], "unit": "s"}
    lines += [*_flat(annotations), *_flat(parameters)]
    return [*lines, *((f"made with {name}", str(version)) for name, version in versions.items())]


def _flat(tree: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested annotations as dotted names and text."""
    from .quantities import in_units, shown

    if isinstance(tree, dict) and set(tree) == {"value", "unit"}:
        yield name, in_units(tree["value"], str(tree["unit"]))
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, "none" if tree is None else shown(tree, quote=False)
