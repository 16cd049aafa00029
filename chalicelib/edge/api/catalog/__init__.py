"""The API of the room `catalog`."""
