"""What the registry can do: one verb each, for a batch; the transaction comes first and is never committed here."""
