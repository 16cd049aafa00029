"""Routes of the room `registry`."""
