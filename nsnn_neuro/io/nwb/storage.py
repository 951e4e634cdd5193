"""What writing and reading NWB files of `save` share: compression with checksums, columns of tables, the digest of the content."""

from __future__ import annotations

import re
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


def file_name(name: str) -> str:
    """A name as HDF5 can hold it; "." means the group itself there.

    >>> file_name("a/b"), file_name("."), file_name("v.1")
    ('a_b', '_', 'v.1')
    """
    return re.sub(r"[^\w .+-]|^\.+\Z", "_", name)


def column(name: str, values: Any, table: Any = None) -> Any:
    """An array or list as NWB's tables can hold it, None for one that isn't flat numbers or texts.

    Also None for a name to which this `table`, a class of pynwb, gives another meaning, such as "waveforms" of Units.
    """
    reserved = table is not None and (
        hasattr(table, name) or name in {one["name"] for one in table.__columns__}
    )
    if reserved or not name or file_name(name) != name:
        return None
    listed = (
        np.asarray(getattr(values, "magnitude", values)).tolist()
        if hasattr(values, "dtype")
        else list(values)
    )
    if listed and all(isinstance(one, str | bytes) for one in listed):
        return [_text(one) for one in listed]
    kinds = {type(one) for one in listed}
    good = kinds in ({bool}, {int}) or (kinds and kinds <= {int, float})
    array = np.array(listed) if good else np.empty(0, dtype=object)
    return array if array.dtype.kind in "biuf" else None


def _text(value: Any) -> str:
    """A text that HDF5 can hold."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def digest_trains(digest: Any, counts: np.ndarray, t_start: np.ndarray, t_stop: np.ndarray) -> None:
    """Add the number of spikes of each train, (n_neurons, n_trials) int64, and the trials' bounds to the digest."""
    digest.update(np.ascontiguousarray(counts).tobytes())
    digest.update(t_start.tobytes() + t_stop.tobytes())


def digest_signal(digest: Any, values: np.ndarray) -> None:
    """Add the type, shape and samples of a signal to the digest."""
    digest.update(f"{values.dtype.str} {values.shape}".encode())
    digest.update(np.ascontiguousarray(values).data)
