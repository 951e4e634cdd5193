"""The command `nsnn`: simulate from a file, sweep, measure, plot, describe or check a file, certify neurons, list compiled models.

Exit codes: 0 fine; 1 a claim or certificate failed, or points of a sweep; 2 bad input, told in one line on stderr; 3 an error
inside the package (the environment variable NSNN_DEBUG=1 shows where); 130 interrupted; 141 the reader of the output went away.
Results go to stdout, everything else to stderr. What takes long to import is imported where it is used.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import math
import os
import platform
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..core import interrupt
from ..core.errors import NsnnError

if TYPE_CHECKING:
    import neo
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["main"]

CLAIM_FAILED, BAD_INPUT, INTERNAL, BROKEN_PIPE = 1, 2, 3, 141
_NO_MEMORY = "not enough memory for so many neurons, trials, steps or spikes"
_FIGURES = ("eps", "jpg", "pdf", "png", "svg", "tif")
_MEASURES = ("firing_rate", "cv", "cv2", "lv", "fano_factor")
_MOST_ROWS = 400  # of a raster with all trials; beyond that its first trial says more


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `nsnn` with the arguments `argv` (default: those of the process); the exit code.

    >>> main(["info", "no_such_file.nwb"])
    2
    """
    try:
        return _run(argv)
    except KeyboardInterrupt:
        return _fail(interrupt.INTERRUPTED, "interrupted")


def _run(argv: Sequence[str] | None) -> int:
    try:
        interrupt.raise_again()
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            arguments = _parser().parse_args(argv)
            code = arguments.run(arguments)
            sys.stdout.flush()
    except SystemExit as end:  # argparse: --help, --version, wrong arguments
        return int(end.code or 0)
    except BrokenPipeError:
        _drop_stdout()
        return BROKEN_PIPE
    except (NsnnError, OSError) as error:
        return _fail(BAD_INPUT, _message(error))
    except MemoryError:
        return _fail(BAD_INPUT, _NO_MEMORY)
    except Exception as error:
        if isinstance(error.__cause__, MemoryError):  # Brian2 wraps what its objects raise
            return _fail(BAD_INPUT, _NO_MEMORY)
        return _fail(
            INTERNAL, f"internal error, {type(error).__name__}: {error} (NSNN_DEBUG=1 shows the traceback)"
        )
    finally:
        interrupt.end_quietly()
    return int(code or 0)


def _fail(code: int, message: str) -> int:
    if os.environ.get("NSNN_DEBUG", "0") not in ("", "0"):
        traceback.print_exc()
    _say(message)
    return code


def _say(message: str) -> None:
    """One line on stderr, nothing in it that a terminal would obey."""
    text = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in message)
    print(f"nsnn: {text}", file=sys.stderr, flush=True)


def _print(text: str) -> None:
    """`text` on stdout, without what its encoding lacks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if "±".encode(encoding, "replace") == b"?":
        text = text.replace("±", "+/-")
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="")


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _say(f"warning: {message}")


def _drop_stdout() -> None:
    """Nothing more can be written to stdout; keep the interpreter from trying when it ends."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _root() -> Any:
    """The package itself, whose version the command tells."""
    return importlib.import_module("nsnn_neuro")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _say(f"{message} (see {self.prog} --help)")
        raise SystemExit(BAD_INPUT)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nsnn", description="Noisy spiking neurons: simulate, measure, plot.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"nsnn {_root().__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    one = commands.add_parser(
        "simulate", help="run a simulation described in a TOML file", allow_abbrev=False
    )
    one.add_argument("config", metavar="CONFIG.toml", help="tables model, noise, stimulus, run")
    one.add_argument(
        "-o", "--output", required=True, metavar="RUN.nwb", help="NWB file to write; replaced if there is one"
    )
    one.add_argument("--seed", type=int, metavar="N", help="in place of the file's seed")
    one.add_argument("--engine", metavar="E", help="cython, numpy or cpp, in place of the file's engine")
    one.set_defaults(run=_simulate)

    one = commands.add_parser(
        "sweep", help="a grid of parameters described in a TOML file, as a table", allow_abbrev=False
    )
    one.add_argument("config", metavar="CONFIG.toml", help="as for simulate, with a table sweep")
    one.add_argument(
        "-o", "--output", required=True, metavar="FOLDER", help="where results land; made if need be"
    )
    one.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes; -1 for all cores; default: 1"
    )
    one.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler, in place of processes")
    one.add_argument(
        "--resume", action=argparse.BooleanOptionalAction, default=True,
        help="go on from what the folder has; --no-resume deletes it and starts anew",
    )  # fmt: skip
    one.set_defaults(run=_sweep)

    one = commands.add_parser("measure", help="rates and irregularity as a table", allow_abbrev=False)
    one.add_argument(
        "files", nargs="+", metavar="FILE", help="NWB, or any file that Neo reads without unpickling"
    )
    one.add_argument("--csv", action="store_true", help="one measure per row, separated by commas")
    one.add_argument("--by", choices=("neuron", "population"), default="neuron", help="default: %(default)s")
    one.set_defaults(run=_measure)

    one = commands.add_parser("plot", help="spikes, rate and intervals as a figure", allow_abbrev=False)
    one.add_argument("file", metavar="FILE")
    one.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FIG.png",
        help=f"one of {', '.join(_FIGURES)}, by its ending",
    )
    one.add_argument(
        "--kind", choices=("raster", "psth", "isi", "all"), default="all", help="default: %(default)s"
    )
    one.add_argument(
        "--bin-width", metavar="TIME", help='of the rate, such as "20 ms"; default: about duration / 100'
    )
    one.set_defaults(run=_plot)

    one = commands.add_parser("info", help="versions and engines, or what is in a file", allow_abbrev=False)
    one.add_argument("file", nargs="?", metavar="FILE")
    one.set_defaults(run=_info)

    one = commands.add_parser(
        "check", help="read a file in full and check its structure, units and order", allow_abbrev=False
    )
    one.add_argument("file", metavar="FILE", help="NWB, or any file that Neo reads without unpickling")
    one.set_defaults(run=_check)

    one = commands.add_parser("cache", help="compiled models: list or remove them", allow_abbrev=False)
    one.add_argument("action", choices=("list", "clear"))
    one.set_defaults(run=_cache)

    one = commands.add_parser("certify", help="hold the simulated neurons against theory", allow_abbrev=False)
    one.add_argument("models", nargs="*", metavar="MODEL", help="names of neurons; default: all")
    one.add_argument("--json", action="store_true", help="the rows as JSON, nothing else on stdout")
    one.add_argument(
        "--out",
        default="certificate",
        metavar="DIR",
        help="folder of the CSV and the figure; default: ./%(default)s",
    )
    one.add_argument("--jobs", type=int, metavar="N", help="processes; default: 2")
    one.set_defaults(run=_certify)
    return parser


def _output(path: str, endings: Iterable[str], *inputs: str) -> Path:
    """The path of a file to write, checked before any work is done."""
    target = Path(path)
    if target.suffix.lower().lstrip(".") not in endings:
        raise NsnnError(f"-o {path}: expected a name that ends in .{' .'.join(endings)}")
    if target.is_dir():
        raise NsnnError(f"-o {path}: that is a folder: expected the name of a file")
    if not target.parent.is_dir():
        raise NsnnError(f"-o {path}: there is no folder {target.parent}")
    if not os.access(target.parent, os.W_OK):
        raise NsnnError(f"-o {path}: the folder {target.parent} can't be written to")
    if target.exists() and any(os.path.exists(one) and target.samefile(one) for one in inputs):
        raise NsnnError(f"-o {path}: that is the input, which would be overwritten")
    return target


def _simulate(arguments: argparse.Namespace) -> None:
    target = _output(arguments.output, ["nwb"], arguments.config)
    from . import config

    settings = config.read(arguments.config)
    from ..brian.simulate import simulate
    from ..io.save_load import save

    given = {key: v for key in ("seed", "engine") if (v := getattr(arguments, key)) is not None}
    # spikes go to the disk as they come, unless traces of the membrane are kept, which are in memory
    out = None if settings.run.get("record_v") else target
    began = time.perf_counter()
    try:
        with _stopped_by_ctrl_c():
            block = simulate(
                settings.model, settings.noise, settings.stimulus, **settings.run | given, out=out
            )
    except NsnnError as error:
        raise NsnnError(settings.place(str(error), given)) from error
    if out is None:
        save(block, target)
    seconds = time.perf_counter() - began
    engine = block.annotations["parameters"]["engine"]
    _say(f"{target}: {_size(block)}, seed {block.annotations['seed']}, engine {engine}, took {seconds:.1f} s")


def _sweep(arguments: argparse.Namespace) -> int:
    from . import config, sweep

    settings = config.read(arguments.config)
    with _stopped_by_ctrl_c():
        text, said, failed = sweep.run(
            settings, arguments.output, arguments.jobs, arguments.scheduler, arguments.resume
        )
    _print(text)
    _say(said)
    return CLAIM_FAILED if failed else 0


@contextlib.contextmanager
def _stopped_by_ctrl_c() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt. Brian2's handler would end the run early, as if what is there were all."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _size(block: neo.Block) -> str:
    from ..measures import as_trains

    trains = as_trains(block)
    n = trains.times.size
    exposure = float(trains.durations.sum()) * trains.n_neurons
    rate = f" ({n / exposure:.4g} Hz)" if exposure else ""
    parts = ((trains.n_trials, "trial"), (trains.n_neurons, "neuron"), (n, "spike"))
    return f"{', '.join(_number(*part) for part in parts)}{rate}"


def _number(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _measure(arguments: argparse.Namespace) -> None:
    import pandas as pd

    table = pd.concat(
        [_table(path, arguments.by) for path in dict.fromkeys(arguments.files)], ignore_index=True
    )
    _print(table.to_csv(index=False) if arguments.csv else _aligned(_wide(table)))


def _table(path: str, by: str) -> pd.DataFrame:
    """The standard measures of one file; one that its trials don't allow is left out with a warning."""
    import pandas as pd

    from .. import measures
    from ..io.save_load import load

    block, tables, refused = load(path), [], ""
    for name in _MEASURES:
        try:
            tables.append(measures.tabulate({path: block}, getattr(measures, name), by=by))
        except NsnnError as error:
            refused = str(error)
            warnings.warn(f"{path}: {name} is left out: {error}", stacklevel=2)
    if not tables:
        raise NsnnError(f"{path}: {refused}")
    return pd.concat(tables, ignore_index=True)


def _wide(table: pd.DataFrame) -> list[list[str]]:
    """Rows of text, the header first: one for each file, population and neuron, a column for each measure."""
    units = dict(zip(table["measure"], table["unit"], strict=True))
    shown = ["block"]
    if table["population"].nunique() > 1:
        shown.append("population")
    if table["neuron"].notna().any():
        shown.append("neuron")
    rows: dict[tuple[Any, ...], dict[str, str]] = {}
    for row in table.itertuples():
        key = (row.block, row.population, str(row.neuron))
        rows.setdefault(key, {})[str(row.measure)] = _with_error(float(row.value), float(row.se))  # type: ignore[arg-type]
    names = [name if unit == "1" else f"{name} ({unit})" for name, unit in units.items()]
    lines = [["file" if name == "block" else name for name in shown] + names]
    for key, cells in rows.items():
        place = dict(zip(("block", "population", "neuron"), key, strict=True))
        lines.append([str(place[name]) for name in shown] + [cells.get(name, "-") for name in units])
    return lines


def _with_error(value: float, se: float) -> str:
    """`value` ± `se`, both to the second digit of se."""
    if math.isnan(value):
        return "-"
    if not 1e-6 * abs(value) < se < math.inf:
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(se)))
    return f"{value:.{digits}f} ± {se:.{digits}f}"


def _aligned(lines: list[list[str]], left: Iterable[int] = (0,)) -> str:
    """Rows of text as columns, the columns `left` to the left, the others to the right."""
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    text = ""
    for line in lines:
        cells = [
            cell.ljust(w) if k in left else cell.rjust(w)
            for k, (cell, w) in enumerate(zip(line, widths, strict=True))
        ]
        text += "  ".join(cells).rstrip() + "\n"
    return text


def _plot(arguments: argparse.Namespace) -> None:
    target = _output(arguments.output, _FIGURES, arguments.file)
    from matplotlib.figure import Figure

    from .. import plotting
    from ..io.save_load import load
    from ..measures import as_trains
    from .config import quantity

    width = None if arguments.bin_width is None else quantity(arguments.bin_width, "s", "--bin-width")
    block = load(arguments.file)
    trains = as_trains(block)
    if not trains.durations.max() > 0:
        raise NsnnError(f"{arguments.file}: its trials last 0 s: expected some time to plot")
    if width is None:
        width = quantity(f"{_round_down(float(trains.durations.max()) / 100):.17g} s", "s", "--bin-width")
    figure = Figure(figsize=(9.0, 5.4) if arguments.kind == "all" else (6.4, 3.8), layout="constrained")
    figure.suptitle(Path(arguments.file).name, fontsize="medium", color="#555555")
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
            warnings.warn(f"{arguments.file}: {kind} is left out: {error}", stacklevel=2)
            ax.text(0.5, 0.5, f"no {kind}", transform=ax.transAxes, ha="center", va="center", color="#555555")
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
    """The largest 1, 2 or 5 times a power of ten up to x."""
    power = 10.0 ** math.floor(math.log10(x))
    return power * max(m for m in (1, 2, 5) if m * power <= x * (1 + 1e-9))


def _info(arguments: argparse.Namespace) -> None:
    lines = _about_here() if arguments.file is None else _about_file(arguments.file)
    widest = max(len(name) for name, _ in lines)
    for name, value in lines:
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in f"{name.ljust(widest)}  {value}")
        _print(text + "\n")


def _check(arguments: argparse.Namespace) -> None:
    from ..io.save_load import load

    block = load(arguments.file, check="full")
    _print(f"{arguments.file}: no damage found; {_size(block)}\n")


def _cache(arguments: argparse.Namespace) -> None:
    from ..brian import program_cache

    places = " and ".join(str(program_cache.folder(kind)) for kind in program_cache.KINDS)
    if arguments.action == "clear":
        _print(f"compiled models removed: {program_cache.clear()}, from {places}\n")
        return
    sizes = []
    for kind in program_cache.KINDS:
        for entry in program_cache.entries(kind):
            used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
            _print(f"{entry.key[:16]}  {kind.ljust(6)}  {entry.size / 1e6:.2f} MB  last used {used}\n")
            sizes.append(entry.size / 1e6)
    most = f"{program_cache.MOST_BYTES / 1e6:.0f} MB in each folder"
    _print(f"compiled models: {len(sizes)}, {sum(sizes):.2f} MB (at most {most}), in {places}\n")


def _about_here() -> list[tuple[str, str]]:
    from ..brian import engine
    from ..io.save_load import provenance

    versions = provenance()["versions"] | {"nsnn_neuro": _root().__version__}
    compiler = engine.has_compiler()
    engines = "cython (default), cpp, numpy" if compiler else "numpy"
    return [
        *versions.items(),
        ("platform", platform.platform()),
        ("compiler", "found" if compiler else "no C++ compiler: runs use NumPy code, several times slower"),
        ("engines", engines),
    ]


def _about_file(path: str) -> list[tuple[str, str]]:
    from ..io.save_load import load
    from ..measures import as_trains
    from ..measures.tabulate import populations_of

    block = load(path)
    trains, known = as_trains(block), dict(block.annotations)
    low, high = trains.durations.min(), trains.durations.max()
    lines = [
        ("file", path),
        ("size", _size(block)),
        ("duration", f"{low:.6g} s" if high - low <= 1e-9 * high else f"{low:.6g} to {high:.6g} s"),
    ]
    populations = populations_of(block, trains.n_neurons)
    known.pop("populations", None)
    for name, size in populations if len(populations) > 1 else []:
        lines.append(("population", f"{name}, {_number(size, 'neuron')}"))
    for trace in block.segments[0].analogsignals:
        rate, unit = float(trace.sampling_rate.rescale("Hz").magnitude), trace.dimensionality.string
        channels = _number(trace.shape[1], "channel")
        lines.append(("signal", f"{trace.name}, {channels}, {unit}, {rate:.6g} Hz (of trial 0)"))
    parameters, versions = (
        known.pop(key) if isinstance(known.get(key), dict) else {} for key in ("parameters", "versions")
    )
    if "dt" in known:
        known["dt"] = {"value": known["dt"], "unit": "s"}
    for name, value in (*_flat(known), *_flat(parameters)):
        lines.append((name, value))
    return [*lines, *((f"made with {name}", str(version)) for name, version in versions.items())]


def _certify(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.out)
    if folder.exists() and not folder.is_dir():
        raise NsnnError(f"--out {folder}: that is a file: expected a folder")
    began = time.perf_counter()
    from ..certify import certify, report

    with _stopped_by_ctrl_c():
        table = certify(arguments.models or None, n_jobs=arguments.jobs)
    files = report.write(table, folder)
    if arguments.json:
        _print(report.as_json(table) + "\n")
    else:
        _print(_aligned(report.lines(table), left=report.LEFT))
        _print(report.summary(table, time.perf_counter() - began) + "\n")
    _say(", ".join(str(path) for path in files))
    return CLAIM_FAILED if (table["verdict"] == "fail").any() else 0


def _flat(tree: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested annotations as dotted names and text."""
    from .config import in_units, shown

    if isinstance(tree, dict) and set(tree) == {"value", "unit"}:
        yield name, in_units(tree["value"], str(tree["unit"]))
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, "none" if tree is None else shown(tree, quote=False)


if __name__ == "__main__":
    sys.exit(main())
