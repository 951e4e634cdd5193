"""`nsnn demo`: run the main example: a noisy neuron against a recorded one."""

from __future__ import annotations

import argparse

from . import study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    study.add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the study `grasshopper` and print where its report is; 1 if a claim failed."""
    arguments.studies, arguments.quick, arguments.seed = ["grasshopper"], False, None
    arguments.sabotage = arguments.jobs = None
    return study.run(arguments)
