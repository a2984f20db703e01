"""What placement can do: one function per thing, in batches. The transaction comes first and is the door's to commit."""
