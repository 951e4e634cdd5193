"""Spikes from any source as flat arrays, the one door: `Trains` is the container that measures, fits and writers compute on.

- A window holds the spikes that the module `container` says.
- `as_trains` and `as_repeats` read Blocks and lists of spike trains, with a window (`read`, `arrays`).
- `packages.read` reads what `to_block` takes: lists and dicts (`sources`), tables (`dataframes`), objects of other packages.
- `text_files` reads text; `bins` assigns times to bins and windows; `doubts` says which numbers are hardly seconds.
"""

from .bins import ResolutionWarning as ResolutionWarning
from .container import PIECE as PIECE
from .container import Trains as Trains
from .container import first_after as first_after
from .container import in_order as in_order
from .container import of_windows as of_windows
from .read import as_repeats as as_repeats
from .read import as_trains as as_trains
from .read import binned as binned
from .read import holds_blocks as holds_blocks
from .read import holds_trials as holds_trials
from .read import read as read
from .read import scalar_time as scalar_time
from .read import time_window as time_window
