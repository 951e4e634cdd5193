"""Parameter sweeps: every point of a grid with every seed, in batches, over processes or a Dask cluster.

`run` has `sweep` itself, `run_many` the same for any function, `train_seeds` for trainings, `endings` what all say at their end;
`grid` reads the points, `fingerprint` identifies what they contain, `batching` decides which points run together, `worker` runs a
chunk of them in any process, `store` keeps finished results in a folder.
"""

from .endings import FailedPoints
from .run import sweep
from .run_many import run_many
from .train_seeds import train_seeds

__all__ = ["FailedPoints", "run_many", "sweep", "train_seeds"]
