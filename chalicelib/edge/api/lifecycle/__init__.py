"""Routes of the room `lifecycle`."""
