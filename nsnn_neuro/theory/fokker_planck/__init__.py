"""Fokker-Planck solvers for one-dimensional neurons."""
