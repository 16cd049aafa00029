"""pynamodb's connection, where reads can be made cheaper than botocore makes them."""

from pynamodb.connection import Connection


class ReadingConnection(Connection):
    """The one connection of a process."""
