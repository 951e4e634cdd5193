"""`nsnn cache`: list or remove compiled models."""

from __future__ import annotations

import argparse
import time

from .output import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("action", choices=("list", "clear"), help="list the compiled models, or remove them")


def run(arguments: argparse.Namespace) -> None:
    """Print or remove what is cached."""
    from ..core import program_cache

    places = " and ".join(str(program_cache.folder(kind)) for kind in program_cache.KINDS)
    if arguments.action == "clear":
        show(f"compiled models removed: {program_cache.clear()}, from {places}\n")
        return
    sizes = []
    for kind in program_cache.KINDS:
        for entry in program_cache.entries(kind):
            used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
            show(f"{entry.key[:16]}  {kind.ljust(6)}  {entry.size / 1e6:.2f} MB  last used {used}\n")
            sizes.append(entry.size / 1e6)
    most = f"{program_cache.MOST_BYTES / 1e6:.0f} MB in each folder"
    show(f"compiled models: {len(sizes)}, {sum(sizes):.2f} MB (at most {most}), in {places}\n")
