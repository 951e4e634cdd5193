"""Flags of a C++ compiler that doesn't optimise, which takes a third of the time: for tests of what does not depend on it."""

FLAGS = ["-w", "-O0", "-std=c++11"]
