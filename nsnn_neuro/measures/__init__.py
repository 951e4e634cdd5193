"""Measures of spike trains: a neo.Block in, a value out.

A measure is a pure function of a neo.Block (one Segment per trial), or of the repeats of one neuron, with its
options as keywords. To add one, write it into the file here that it belongs to:

1. Turn the input into arrays on the first line, `trains = as_trains(block, t_start, t_stop)` or
   `as_repeats(...)`, and every quantity into an SI float with `units.si` or `positive`. Options that other measures have
   too go through `arguments.check`.
2. Compute on `trains.times`, `.train`, `.counts`, `.intervals`, `.bins`: no loop over trains.
3. Return (n_neurons,) floats, NaN for neurons without enough spikes through `warn_silent`, or an `Estimate`
   for information.
4. Decorate it with `@measure(unit)` for the table; if it is made of sums over trials, give them as `parts`,
   and the jackknife of `tabulate` needs no second pass.
5. Export it here, give it a row in tests/test_measures_contract.py, and hold it in
   tests/test_measures_<file>.py against an independent oracle.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
