"""The errors of the package: bad arguments and bad files."""

__all__ = ["FormatError", "NsnnError"]


class NsnnError(ValueError):
    """A bad argument. The message names the argument, its value and what was expected."""


class FormatError(NsnnError):
    """A file that is truncated, foreign or not what its name says."""
