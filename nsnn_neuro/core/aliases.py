"""What arguments may be, in a word each. Checkers see the types; at run time all are Any, so that nothing is imported for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    import brian2
    import matplotlib.axes
    import neo
    import pandas as pd
    import quantities as pq

    Quantity: TypeAlias = brian2.Quantity | pq.Quantity
    Time: TypeAlias = Quantity
    """with a unit of Brian2 or quantities, such as 20*ms"""
    Voltage: TypeAlias = Quantity
    Axes: TypeAlias = matplotlib.axes.Axes
    DataFrame: TypeAlias = pd.DataFrame
    SpikeSource: TypeAlias = Any
    """a Block, Segment or SpikeTrain of Neo, lists of these or of arrays of times in s, and what `to_block` takes"""
    Signal: TypeAlias = neo.AnalogSignal
    Values: TypeAlias = Any
    """numbers or labels, one for each trial or sample, as an array or what NumPy makes one of"""
    Progress: TypeAlias = bool | Callable[..., Any] | None
    """None: a bar in a terminal; True, False, or a function that is called"""
else:
    Quantity = Time = Voltage = Axes = DataFrame = SpikeSource = Signal = Values = Progress = Any
