"""Information measures with bias corrections, errors and nulls."""
