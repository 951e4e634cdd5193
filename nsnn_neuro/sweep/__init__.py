"""Parameter sweeps: a grid of points x seeds, batched, resumable, over processes or a Dask cluster (docs/sweep.md).

`grid` reads the points, `plan` says which run together, `work` runs a chunk of them (here or in another process), `folder` keeps
what is finished, `run` has `sweep` itself.
"""

from .run import FailedPoints, sweep

__all__ = ["FailedPoints", "sweep"]
