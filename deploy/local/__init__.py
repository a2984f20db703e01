"""The one-machine deployment: embedded Kafka and Postgres, the four services, the demo.

Nothing here is used in production, and no service imports it.
"""
