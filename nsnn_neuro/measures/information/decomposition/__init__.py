"""Decomposition of information into redundant, unique and synergistic parts."""
