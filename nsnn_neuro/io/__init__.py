"""Recordings in and out: Blocks, NWB and external files, provenance.

- `block.build_block` makes a Block of flat arrays, `spikes.Trains` reads one back into flat arrays.
- `json_codec` has the JSON text of annotations and reads the names of units.
- `load`, `save` and `to_block` of `save_load` are public names of the package.
"""
