"""Simulation in Brian2: equations, code generation targets, random numbers, runs."""
