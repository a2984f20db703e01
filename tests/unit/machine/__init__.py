"""The pure parts of the machine."""
