"""Measures of spike trains: a neo.Block in, a value out.

A measure is a pure function of a neo.Block (one Segment per trial), or of the repeats of one neuron, with options as
keywords. To add a measure, write it into the file of its topic:

1. Turn the input into arrays on the first line, `trains = as_trains(block, t_start, t_stop)` or
   `as_repeats(...)`, and every quantity into an SI float with `units.si` or `positive`. Check options with `core.checks`.
2. Compute on `trains.times`, `.train`, `.counts`, `.intervals`, `.bins`: no loop over trains.
3. Return (n_neurons,) floats, NaN for neurons without enough spikes through `warn_silent`, or an `Estimate`
   for information.
4. Decorate it with `@public_measure(unit)` for the table. If the measure is a function of sums over trials, pass them as `parts`:
   the jackknife of `tabulate` then needs no second pass over the spikes. `scale` is that of its confidence limits.
5. Add its name to `__init__.pyi`, add a row to tests/measures/test_measures_contract.py, and test it in
   tests/measures/test_measures_<file>.py against an independent oracle.
"""

from ..core import lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
