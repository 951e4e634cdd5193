"""Firing rates, intervals and counts of single neurons."""
