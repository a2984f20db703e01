"""The machine every service stands on: events, delivery, HTTP, identity, privacy and dated rules. It knows no service."""
