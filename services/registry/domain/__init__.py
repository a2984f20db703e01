"""The rules of the registry, split by ability: values in, values and facts out; no clock, no I/O, no chance."""
