"""The API of the room `registry`."""
