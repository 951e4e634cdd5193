"""Errors of the package: wrong arguments and invalid files."""


class NsnnError(ValueError):
    """A wrong argument. The message names the argument, its value and what was expected."""


class ArgumentError(NsnnError, TypeError):
    """An argument that a function or class does not have. Like Python's own error for it a `TypeError`."""


class FormatError(NsnnError):
    """A file that is damaged or of another format than expected."""
