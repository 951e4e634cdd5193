"""The log-odds of a spike and their derivative as text: what a likelihood needs of an escape family, exact far from threshold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import Function
from brian2.codegen.generators.cython_generator import CythonCodeGenerator
from brian2.codegen.generators.numpy_generator import NumpyCodeGenerator
from scipy import special

from ..brian.equations.model import substitute
from ..models.escape import Family, Gaussian, Logistic

__all__ = ["odds"]

_FRONT, _SQRT2 = float(np.sqrt(2 / np.pi)), float(np.sqrt(2))


def odds(family: Family, x: str, names: dict[str, str]) -> tuple[list[str], dict[str, Function]]:
    """Lines that set `odds` = log(F / (1 - F)) and `f` = f / (F (1 - F)) at x, and the functions that they call.

    names : of the family's parameters in the text
    """
    if isinstance(family, Gaussian):
        s = names["sigma"]
        lines = [f"odds = gaussian_odds({x} / {s})", f"f = gaussian_slope({x} / {s}) / {s}"]
        return lines, {"gaussian_odds": _gaussian_odds(), "gaussian_slope": _gaussian_slope()}
    if isinstance(family, Logistic):
        return [f"odds = {x} / {names['s']}", f"f = 1.0 / {names['s']}"], {}
    spike, silence = (substitute(family.cdf_text, names | {"x": at}) for at in (f"({x})", f"(-{x})"))
    return [
        f"p = {spike}",
        # 1 - p would lose the tail where the density is even
        f"q = {silence if _even(family) else '1 - p'}",
        "odds = log(p) - log(q)",
        "possible = int(p * q > 0)",
        f"f = possible * ({substitute(family.pdf_text, names | {'x': f'({x})'})}) / (p * q + (1 - possible))",
    ], {}


def _even(family: Family) -> bool:
    x = np.array([0.3, 2.0])[:, None] / np.max(family.pdf(0.0))
    return bool(np.max(np.abs(family.cdf(x) + family.cdf(-x) - 1)) < 1e-12)


def _function(numpy_target: Callable[..., Any], name: str, code: str) -> Function:
    function = Function(
        numpy_target, arg_units=[1], return_unit=1, arg_types=["float"], return_type="float", stateless=True
    )
    function.implementations.add_implementation(NumpyCodeGenerator, code=numpy_target)
    function.implementations.add_implementation(CythonCodeGenerator, code=code, name=name)
    return function


def _gaussian_odds() -> Function:
    code = """
from scipy.special.cython_special cimport log_ndtr
cdef double gaussian_odds(double z):
    return log_ndtr(<double>z) - log_ndtr(<double>-z)
"""
    return _function(lambda z: special.log_ndtr(z) - special.log_ndtr(-z), "gaussian_odds", code)


def _gaussian_slope() -> Function:
    """phi / Phi(z) + phi / Phi(-z), where phi / Phi(z) = sqrt(2 / pi) / erfcx(-z / sqrt2)."""

    def numpy_target(z):
        z = z / _SQRT2
        return _FRONT / special.erfcx(-z) + _FRONT / special.erfcx(z)

    code = f"""
from scipy.special.cython_special cimport erfcx
cdef double gaussian_slope(double z):
    z = z / {_SQRT2!r}
    return {_FRONT!r} / erfcx(-z) + {_FRONT!r} / erfcx(z)
"""
    return _function(numpy_target, "gaussian_slope", code)
