"""What the writer and the reader of NWB files of `save` share: compression with checksums, and the digest of the content."""

from __future__ import annotations

from typing import Any

import numpy as np

_FILTERS: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}


def packed(values: np.ndarray | None = None, size: int = 0, kind: Any = float) -> Any:
    """`values`, or `size` values that are written later, compressed, with checksums that reveal a damaged file."""
    from hdmf.backends.hdf5 import H5DataIO

    if values is None and size:
        return H5DataIO(shape=(size,), dtype=kind, **_FILTERS)
    values = np.empty(0, dtype=kind) if values is None else values
    return H5DataIO(values, **_FILTERS) if values.size else values


def digest_trains(digest: Any, counts: np.ndarray, t_start: np.ndarray, t_stop: np.ndarray) -> None:
    """Add the number of spikes of each train, (n_neurons, n_trials) int64, and the trials' bounds to the digest."""
    digest.update(np.ascontiguousarray(counts).tobytes())
    digest.update(t_start.tobytes() + t_stop.tobytes())


def digest_signal(digest: Any, values: np.ndarray) -> None:
    """Add the type, shape and samples of a signal to the digest."""
    digest.update(f"{values.dtype.str} {values.shape}".encode())
    digest.update(np.ascontiguousarray(values).data)
