"""Rows and stores of the room `accounts`."""
