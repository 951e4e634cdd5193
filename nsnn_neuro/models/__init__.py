"""Models as data: neurons, noise, stimuli, synapses, networks, plasticity. Their dynamics are text; nothing is simulated here."""
