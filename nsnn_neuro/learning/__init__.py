"""Training of spiking networks in Brian2: losses, encoders, training loops."""
