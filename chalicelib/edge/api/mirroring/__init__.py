"""The API of the room `mirroring`."""
