"""`nsnn simulate`: run a simulation described in a TOML file."""

from __future__ import annotations

import argparse
import time

from ..core.brian_import import without_collection
from ..core.errors import NsnnError
from .output import interruptible, output_path, say, size_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "config", metavar="CONFIG.toml", help="file with the tables model, noise, stimulus, run"
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="RUN.nwb",
        help="NWB file to write; an existing one is replaced",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed, instead of the one in the file")
    parser.add_argument(
        "--engine", metavar="E", help="auto, cython, numpy, cpp or torch, instead of the engine in the file"
    )


def run(arguments: argparse.Namespace) -> None:
    """Simulate, and save the spikes."""
    target = output_path(arguments.output, ["nwb"], arguments.config)
    with without_collection():
        from . import config

        settings = config.read(arguments.config)
        from ..brian.simulate import simulate
        from ..core.warn import warn
        from ..io.nwb import pynwb_import
        from ..io.save_load import save

        pynwb_import.load()

    given = {key: v for key in ("seed", "engine") if (v := getattr(arguments, key)) is not None}
    # spikes go to disk during the run, unless membrane traces are recorded, which are in memory
    out = None if settings.run.get("record_v") else target
    began = time.perf_counter()
    try:
        with interruptible():
            block = simulate(
                settings.model, settings.noise, settings.stimulus, **settings.run | given, out=out
            )
    except NsnnError as error:
        raise NsnnError(settings.place(str(error), given)) from error
    if out is None:
        save(block, target)
    seconds = time.perf_counter() - began
    if settings.noise is None and not any(len(s.spiketrains.multiplexed[0]) for s in block.segments):
        warn(
            f"{arguments.config}: no [noise]: without noise, neurons whose drive stays below threshold never fire"
        )
    engine, seed = block.annotations["parameters"]["engine"], block.annotations["seed"]
    say(f"{target}: {size_of(block)}, seed {seed}, engine {engine}, took {seconds:.1f} s")
