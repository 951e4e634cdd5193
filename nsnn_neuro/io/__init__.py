"""Recordings in and out: Blocks, NWB and external files, provenance."""
