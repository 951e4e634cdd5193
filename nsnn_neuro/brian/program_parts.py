"""C++ programs that divide independent neurons: between processes, and within each into pieces that fit into the cache.

Neurons without synapses do not need each other, and keyed noise does not depend on what else is simulated, so a program may advance
some of its neurons from the beginning to the end of the run and then the next, with the same spikes. The program forks; each
process has a share of the neurons, advances it piece by piece, and writes its results into a folder of its own. `collect` puts
them together.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup, SpikeMonitor
from brian2.core.functions import Function
from brian2.core.variables import DynamicArrayVariable

from . import program_progress

PIECE = 704
"""About how many neurons, times trials, a process advances at a time: their variables fit into a core's cache"""
TEXT = "parts.cpp"
# Pieces begin at multiples of this: those of double and int32 are then as long as whole vectors of 512 bits
_EDGE = 16
# Templates of code that treats each neuron by itself: in each step, and before the run
_STEP = {"stateupdate", "threshold", "reset", "spikemonitor"}
_BEFORE = {"group_variable_set", "group_variable_set_conditional"}
# Where these templates use the number of neurons; a model's own text may contain N, which stays the number of all
_NUMBER = re.compile(r"N(?:(?<=\bconst int _N = N)(?=;)|(?<=_idx<N)(?=;)|(?<=\[N)(?=\]))")
_SPIKES = re.compile(r"const size_t _num_spikespace = \d+(?=;)")
_RUN = re.compile(r"\b(\w+)\.run\(([^,()]+), NULL, [^()]*\);")
_MAIN = Template((Path(__file__).parent / "program_parts.cpp").read_text(encoding="utf-8"))


def independent_groups(device: Any) -> list[NeuronGroup]:
    """The groups of a C++ program if all its neurons are independent; else, as with synapses or traces, an empty list."""
    groups: dict[str, NeuronGroup] = {}
    for code in device.code_objects.values():
        owner = code.owner
        if code.template_name not in _STEP | _BEFORE or not isinstance(owner, NeuronGroup | SpikeMonitor):
            return []
        if any(isinstance(value, Function) and not value.stateless for value in code.variables.values()):
            return []  # random numbers of Brian2 have a state, which all neurons share
        group = owner.source if isinstance(owner, SpikeMonitor) else owner
        groups[group.name] = group
    return [groups[name] for name in sorted(groups)]


def number_of_processes(groups: list[NeuronGroup], most: int) -> int:
    """How many processes have neurons: `most`, or fewer."""
    if not groups or not hasattr(os, "fork"):
        return 1
    return max(1, min(most, max(len(group) for group in groups) // _EDGE))


def number_of_pieces(groups: list[NeuronGroup], processes: int) -> int:
    """The number of pieces of each process."""
    return max(1, round(sum(len(group) for group in groups) / processes / PIECE))


def run_in_parts(line: str, processes: str, pieces: str) -> str:
    """A line of the main program; where it runs a network, it runs it in parts.

    >>> run_in_parts("network.run(0.1, NULL, 10.0);", "2", "1")
    '{ extern void nsnn_run_in_parts(double, int64_t, int64_t); nsnn_run_in_parts(0.1, 2, 1); }'
    >>> run_in_parts("network.clear();", "2", "1")
    'network.clear();'
    """
    call = rf"{{ extern void nsnn_run_in_parts(double, int64_t, int64_t); nsnn_run_in_parts(\2, {processes}, {pieces}); }}"
    return _RUN.sub(call, line)


def with_counts(code: Any, text: str) -> str:
    """The text of a code object; in each step it treats the neurons of the piece.

    What runs before and after (`after_run_*.cpp`) keeps the number of all neurons.
    """
    if code.template_name in _BEFORE:
        return text
    spikes = code.variables.get("_spikespace")
    group = code.owner if spikes is None else spikes.owner
    name, replaced = f"nsnn_count_{group.name}", 0
    for pattern, value in ((_NUMBER, name), (_SPIKES, f"const size_t _num_spikespace = {name} + 1")):
        text, number = pattern.subn(value, text)
        replaced += number
    if not replaced:
        raise RuntimeError(
            f"Brian2's template {code.template_name} has no number of neurons where it is expected"
        )
    return f"#include <cstdint>\nnamespace brian {{ extern int64_t {name}; }}\n{text}"


def text(device: Any, groups: list[NeuronGroup], network: str) -> str:
    """The C++ file that runs a network of these groups in parts."""
    names, moves, shared = [group.name for group in groups], [], []
    for name in names:
        lines = [f"    brian::{array} += by;" for _, array in _arrays(device, name)]
        moves.append("\n".join([f"static void move_{name}(int64_t by) {{", *lines, "}"]))
    for variable, array in _named(device):
        if variable.scalar and (variable.owner.name in names or isinstance(variable.owner, Clock)):
            shared.append(f"    keep(brian::{array}, sizeof *brian::{array});")
    return _MAIN.substitute(
        counts="\n".join(f"int64_t nsnn_count_{group.name} = {len(group)};" for group in groups),
        moves="\n".join(moves),
        names=", ".join(f"move_{name}" for name in names),
        pointers=", ".join(f"&brian::nsnn_count_{name}" for name in names),
        sizes=", ".join(str(len(group)) for group in groups),
        groups=len(groups),
        edge=_EDGE,
        network=network,
        header=program_progress.HEADER,
        keep="\n".join(shared),
    )


def _named(device: Any) -> list[tuple[Any, str]]:
    """The arrays of a program that belong to an object, and their names in it, in the order of names."""
    named = [
        (variable, name)
        for variable, name in device.arrays.items()
        if getattr(variable, "owner", None) is not None
    ]
    return sorted(named, key=lambda entry: entry[1])


def _arrays(device: Any, group: str) -> list[tuple[Any, str]]:
    """The arrays with one value for each neuron of a group, those of the monitors of its spikes included."""
    result = []
    for variable, name in _named(device):
        owner = variable.owner
        source = owner.source if isinstance(owner, SpikeMonitor) else owner
        fixed = not (variable.scalar or isinstance(variable, DynamicArrayVariable))
        if fixed and source.name == group and variable.size == len(source):
            result.append((variable, name))
    return result


def folders(results: Path, processes: int) -> list[Path]:
    """The folders of results of all processes but the first."""
    return [results / f"part_{k}" for k in range(1, processes)]


def collect(device: Any, groups: list[NeuronGroup], results: Path, processes: int, pieces: int) -> None:
    """Add what the other processes have computed to the results of the first."""
    for k, folder in enumerate(folders(results, processes), start=1):
        for group in groups:
            size = len(group)
            first, last = (_at(size, part * pieces, processes * pieces) for part in (k, k + 1))
            for variable, _ in _arrays(device, group.name):
                name, itemsize = (
                    Path(device.get_array_filename(variable)).name,
                    np.dtype(variable.dtype).itemsize,
                )
                with open(results / name, "r+b") as file, open(folder / name, "rb") as share:
                    file.seek(first * itemsize)
                    share.seek(first * itemsize)
                    values = share.read((last - first) * itemsize)
                    if len(values) != (last - first) * itemsize:
                        raise OSError(f"{folder / name} is incomplete")
                    file.write(values)
        for variable, _ in _named(device):
            if not isinstance(variable.owner, SpikeMonitor):
                continue
            name = Path(device.get_array_filename(variable)).name
            if isinstance(variable, DynamicArrayVariable):
                with open(results / name, "ab") as file, open(folder / name, "rb") as share:
                    shutil.copyfileobj(share, file)
            elif variable.scalar:  # the number of spikes
                own, added = (np.fromfile(place / name, dtype=variable.dtype) for place in (results, folder))
                (own + added).astype(variable.dtype).tofile(results / name)
        shutil.rmtree(folder)


def _at(size: int, part: int, parts: int) -> int:
    """The first neuron of a part, as the program computes it."""
    return size if part == parts else size * part // parts // _EDGE * _EDGE
