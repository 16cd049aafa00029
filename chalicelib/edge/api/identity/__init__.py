"""The API of the room `identity`."""
