"""Hidden states of a neuron: a Markov chain switches between several sets of parameters."""
