"""The API of the room `lifecycle`."""
