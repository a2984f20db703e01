"""The four services. None imports another; each is read from its own `__init__.py`."""
