"""Folders of the repository that come with the package: `data`, `examples` and `notebooks`."""

from __future__ import annotations

from pathlib import Path

from .errors import NsnnError

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped(name: str) -> Path:
    """The folder "data", "examples" or "notebooks": inside an installed package, or else next to the package in a checkout.

    >>> sorted(path.name for path in shipped("examples").glob("*.toml"))
    ['lif.toml', 'sweep.toml']
    """
    places = _PACKAGE / name, _PACKAGE.parent / name
    for place in places:
        if place.is_dir():
            return place
    raise NsnnError(f"the installation lacks the folder {places[0]}: install nsnn_neuro again")
