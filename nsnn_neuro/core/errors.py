"""Errors of the package: wrong arguments and invalid files."""

__all__ = ["FormatError", "NsnnError"]


class NsnnError(ValueError):
    """A wrong argument. The message names the argument, its value and what was expected."""


class FormatError(NsnnError):
    """A file that is damaged or of another format than expected."""
