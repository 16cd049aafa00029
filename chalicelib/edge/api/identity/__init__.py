"""Routes of the room `identity`."""
