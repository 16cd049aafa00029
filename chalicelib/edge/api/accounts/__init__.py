"""The API of the room `accounts`."""
