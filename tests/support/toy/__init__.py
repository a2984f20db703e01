"""A service with every room and no purpose: what the machine is tried on. It goes by the name of `vendor`."""
