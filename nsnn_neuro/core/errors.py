"""Errors of the package: wrong arguments and invalid files."""


class NsnnError(ValueError):
    """A wrong argument. The message names the argument, its value and what was expected.

    >>> from nsnn_neuro import Gaussian
    >>> Gaussian(-1.0)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: sigma = -1.0: expected ...
    """


class ArgumentError(NsnnError, TypeError):
    """An argument that a function or class does not have. Like Python's own error for it a `TypeError`."""


class FormatError(NsnnError):
    """A file that is damaged or of another format than expected.

    >>> from nsnn_neuro.datasets import nmnist_events
    >>> nmnist_events("missing.bin")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.FormatError: file = missing.bin: no such file: expected an N-MNIST recording ...
    """
