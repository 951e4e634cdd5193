"""Training of spiking networks in Brian2: losses, encoders, training loops."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["coding", "losses", "train"])
