"""Foundations: errors, units, parameters of models, argument checks, atomic files. Imports no other part of the package."""
