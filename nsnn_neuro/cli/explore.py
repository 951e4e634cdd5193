"""`nsnn explore`: play with a noisy neuron on a page in the browser."""

from __future__ import annotations

import argparse
import socket
from dataclasses import replace
from typing import Any

from ..core.checks import whole
from ..core.errors import NsnnError, needs_package
from .output import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "config", nargs="?", metavar="FILE.toml", help="neuron, noise, constant drive and run to start with"
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="default: a free one")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")


def run(arguments: argparse.Namespace) -> None:
    """Serve the page on this machine alone, until Ctrl-C."""
    port = whole(arguments.port, 0, "--port", 65535)
    with needs_package("panel", "nsnn explore"):
        from ..explore.page import serve
    from ..explore.state import NEURONS, State, changed
    from . import config

    state = State.of(NEURONS["LIF"])
    if arguments.config is not None:
        settings = config.read(arguments.config)
        kept = {k: v for k, v in settings.run.items() if k not in ("engine", "device", "record_v", "bridge")}
        model: Any = settings.model
        try:
            if settings.run.get("bridge") is False:
                raise NsnnError("bridge = false: expected true, as the page compares with theory")
            state = State.of(model, settings.noise, settings.stimulus, **kept)
        except NsnnError as error:
            raise NsnnError(settings.place(str(error))) from error
        if settings.noise is None:
            state = replace(state, noise=changed(state.noise, {"sigma": 0.0}))
        if settings.stimulus is None:
            state = replace(state, stimulus=changed(state.stimulus, {"v": 0.0}))
    with socket.socket() as probe:  # the number must be known before: other origins are refused
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    say("the first simulation of a model is compiled, which takes some seconds")
    serve(state, port, not arguments.no_browser, lambda at: say(f"{at} shows the page; Ctrl-C ends it"))
