"""Folders of the repository that come with the package: `data`, `examples` and `analysis`, the studies."""

from __future__ import annotations

from pathlib import Path

from .errors import NsnnError

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = {"analysis": "studies", "data": "data", "examples": "examples"}


def shipped(name: str) -> Path:
    """The folder "analysis", "data" or "examples": inside an installed package, or else next to the package in a checkout.

    setup.py says which folder is installed under which name.

    Raises
    ------
    NsnnError : it is in neither place

    >>> sorted(path.name for path in shipped("examples").glob("*.toml"))
    ['lif.toml', 'sweep.toml']
    """
    places = _PACKAGE / _INSTALLED[name], _PACKAGE.parent / name
    for place in places:
        if place.is_dir():
            return place
    raise NsnnError(f"the installation lacks the folder {places[0]}: install nsnn_neuro again")
