"""Empty: the only long work of the front desk is delivering letters, and its door is `delivery`."""
