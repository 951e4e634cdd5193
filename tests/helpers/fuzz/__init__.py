"""Damaged files for tests: `run` is the program, `mutations` what is changed, the others make the cases of a kind of file."""
