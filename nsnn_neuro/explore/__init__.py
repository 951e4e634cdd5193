"""`explore`: a page with sliders for a noisy neuron, its drive and its noise.

`state` holds what the sliders set, as models and as text; `simulated` runs and measures it, both without Panel; `page` shows it;
`opening` has the function.
"""

from __future__ import annotations

from .opening import explore

__all__ = ["explore"]
