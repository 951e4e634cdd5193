"""Recordings in and out: Blocks, NWB and external files, provenance.

- `build_block` makes a Block of flat arrays, `Trains` reads one back into flat arrays.
- `dumps` and `loads` are the JSON text of annotations, `parse_unit` reads the name of a unit.
- `load`, `save` and `to_block` are public names of the package.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from .block import build_block
    from .json_codec import dumps, loads, parse_unit
    from .spikes import Trains

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "block": ["build_block"],
        "json_codec": ["dumps", "loads", "parse_unit"],
        "spikes": ["Trains"],
    },
)
__all__ = ["Trains", "build_block", "dumps", "loads", "parse_unit"]
