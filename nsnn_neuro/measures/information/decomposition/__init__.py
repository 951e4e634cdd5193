"""Decomposition of information into redundant, unique and synergistic parts, and what is built on it."""
