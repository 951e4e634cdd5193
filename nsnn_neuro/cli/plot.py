"""`nsnn plot`: plot spikes, firing rate and interspike intervals of a recording."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.aliases import Axes
from ..core.errors import NsnnError
from ..core.warn import warn
from .output import output_path

if TYPE_CHECKING:
    import neo

_FORMATS = ("eps", "jpg", "pdf", "png", "svg", "tif")
_MOST_ROWS = 400  # of a raster with all trials; beyond that only trial 0 is shown
_GREY = "#555555"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="NWB, or any format that Neo reads without unpickling")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FIG.png",
        help=f"file to write, one of {', '.join(_FORMATS)}",
    )
    parser.add_argument(
        "--kind", choices=("raster", "psth", "isi", "all"), default="all", help="default: %(default)s"
    )
    parser.add_argument(
        "--bin-width",
        metavar="TIME",
        help='bin width of the rate, such as "20 ms"; default: about duration / 100',
    )


def run(arguments: argparse.Namespace) -> None:
    """Draw the figure; a panel that the trials do not allow is left out with a warning."""
    target = output_path(arguments.output, _FORMATS, arguments.file)
    from matplotlib.figure import Figure

    from .. import plotting
    from ..io.save_load import load
    from ..measures import as_trains
    from .quantities import quantity

    width = None if arguments.bin_width is None else quantity(arguments.bin_width, "s", "--bin-width")
    block = load(arguments.file)
    trains = as_trains(block)
    longest = float(trains.durations.max())
    if not longest > 0:
        raise NsnnError(f"{arguments.file}: its trials last 0 s: expected trials of some duration")
    if width is None:
        width = quantity(f"{_round_down(longest / 100):.17g} s", "s", "--bin-width")
    figure = Figure(figsize=(9.0, 5.4) if arguments.kind == "all" else (6.4, 3.8), layout="constrained")
    figure.suptitle(Path(arguments.file).name, fontsize="medium", color=_GREY)
    draw: dict[str, Callable[[Axes], object]] = {
        "raster": lambda ax: _draw_raster(block, trains.n_trials, trains.n_neurons, ax),
        "psth": lambda ax: plotting.psth(block, bin_width=width, ax=ax),
        "isi": lambda ax: plotting.isi_histogram(block, ax=ax),
    }
    for kind, ax in _panels(figure, arguments.kind):
        try:
            draw[kind](ax)
        except NsnnError as error:
            if kind == arguments.kind:
                raise
            warn(f"{arguments.file}: {kind} is left out: {error}")
            ax.text(0.5, 0.5, f"no {kind}", transform=ax.transAxes, ha="center", va="center", color=_GREY)
    figure.align_ylabels(figure.axes[:2])
    figure.savefig(target, dpi=200)


def _panels(figure: Any, kind: str) -> Iterator[tuple[str, Axes]]:
    if kind != "all":
        yield kind, figure.subplots()
        return
    grid = figure.add_gridspec(2, 2, width_ratios=(2.0, 1.0), height_ratios=(1.8, 1.0))
    top = figure.add_subplot(grid[0, 0])
    yield "raster", top
    yield "psth", figure.add_subplot(grid[1, 0], sharex=top)
    top.tick_params(labelbottom=False)
    top.set_xlabel("")
    yield "isi", figure.add_subplot(grid[:, 1])


def _draw_raster(block: neo.Block, n_trials: int, n_neurons: int, ax: Axes) -> None:
    from .. import plotting

    crowded = min(n_trials, n_neurons) > 1 and n_trials * n_neurons > _MOST_ROWS
    plotting.raster(block, trials=0 if crowded else None, ax=ax)
    if crowded:
        ax.set_ylabel("neuron (trial 0)")


def _round_down(x: float) -> float:
    """The largest 1, 2 or 5 times a power of ten up to x.

    >>> [round(_round_down(x), 6) for x in (1.0, 0.019, 0.02, 0.0999, 3e-4)]
    [1.0, 0.01, 0.02, 0.05, 0.0002]
    """
    power = 10.0 ** math.floor(math.log10(x))
    return power * max(m for m in (1, 2, 5) if m * power <= x * (1 + 1e-9))
