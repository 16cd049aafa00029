"""Routes of the room `activity`."""
