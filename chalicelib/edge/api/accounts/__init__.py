"""Routes of the room `accounts`."""
