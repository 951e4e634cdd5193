"""Parameter sweeps: every point of a grid with every seed, in batches, over processes or a Dask cluster.

`run` has `sweep` itself; `grid` reads the points, `fingerprint` identifies what they contain, `batching` decides which points run
together, `worker` runs a chunk of them in any process, `store` keeps finished results in a folder.
"""

from .endings import FailedPoints
from .run import sweep

__all__ = ["FailedPoints", "sweep"]
