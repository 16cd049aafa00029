"""What a relay has to say when it cannot go on."""


class RelayError(Exception):
    """One sentence that names the thing and the remedy."""


class Unavailable(RelayError):
    """The registry or the bucket did not answer, or asked for patience: the same again later may do."""


class Cut(RelayError):
    """The client went away before its body was whole."""


class BadRequest(Cut):
    """A request whose body nobody can tell the end of: as good as cut, but its client can be told."""
