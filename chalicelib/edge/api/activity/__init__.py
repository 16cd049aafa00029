"""The API of the room `activity`."""
