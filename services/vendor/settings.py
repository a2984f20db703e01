"""The vendor service needs nothing beyond what every service needs."""

from shared.settings import Settings as Common


class Settings(Common):
    """What `main` reads from the environment."""
