"""Routes of the room `catalog`."""
