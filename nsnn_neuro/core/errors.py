"""Errors of the package: wrong arguments, invalid files and packages that are not installed."""

import contextlib
from collections.abc import Iterator


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


class MissingPackage(NsnnError, ImportError):
    """An optional package that is not installed."""


@contextlib.contextmanager
def needs_package(package: str, feature: str, cure: str = "") -> Iterator[None]:
    """Turn a failed import of an optional package into a `MissingPackage` that says how to install it.

    feature : what needs the package; cure : another way out, ends the message

    >>> with needs_package("no_such_package", 'engine = "fast"', '; or use engine="cpp"'):
    ...     import no_such_package
    Traceback (most recent call last):
    nsnn_neuro.core.errors.MissingPackage: engine = "fast" needs no_such_package: pip install no_such_package; or use engine="cpp"
    """
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise MissingPackage(f"{feature} needs {package}: pip install {package}{cure}") from None
