"""Contains the rows and stores of the room `accounts`."""
