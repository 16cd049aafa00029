"""What every refusal is one of."""


class RegistryError(Exception):
    """A refusal that the caller is told. `detail` is what a program may read."""

    @property
    def detail(self) -> dict[str, object]:
        """The fields of this refusal, as JSON-ready values."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


class Invalid(RegistryError):
    """What was sent can never be accepted."""


class OutOfOrder(RegistryError):
    """A chunk that does not begin where the upload ends."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the upload has {offset} bytes: the next chunk must begin at {offset}")
        self.offset = offset


class NotFound(RegistryError):
    """What was asked for is not here."""


class Unauthenticated(RegistryError):
    """Who asks is not known, or not well enough. `why` is OAuth's word for it, empty when nothing was shown."""

    def __init__(self, message: str = "authentication required", why: str = "") -> None:
        super().__init__(message)
        self._why = why

    @property
    def why(self) -> str:
        """`invalid_token`, `insufficient_scope` or nothing (RFC 6750 section 3.1)."""
        return self._why


class Denied(RegistryError):
    """Who asks is known and may not."""

    def __init__(self, name: str, action: str) -> None:
        super().__init__(f"you may not {action} {name}, or it does not exist")
        self.name, self.action = name, action


class CsrfInvalid(RegistryError):
    """A change that a page of somebody else may have sent in the user's name."""

    def __init__(self) -> None:
        super().__init__("CSRF token was invalid or missing.")


class TooManyAttempts(RegistryError):
    """A door that was knocked at too often. `retry_after_s` is how long to wait, in seconds."""

    def __init__(self, retry_after_s: int) -> None:
        unit = "second" if retry_after_s == 1 else "seconds"
        super().__init__(f"Too many attempts: try again in {retry_after_s} {unit}")
        self.retry_after_s = retry_after_s


class WrongEndpoint(RegistryError):
    """A request that came past the one address that is open."""

    def __init__(self, url: str) -> None:
        super().__init__(f"this address is closed: ask {url}")
        self.url = url


class TooLarge(RegistryError):
    """More bytes than this way takes."""


class Conflict(RegistryError):
    """What stands there already forbids it."""


class Unsupported(RegistryError):
    """Understood, and not done here."""


class Unavailable(RegistryError):
    """Too many changes of the same thing at once, or a part of the house that does not answer."""

    def __init__(self, why: str = "too many changes at once") -> None:
        super().__init__(f"{why}: try again in a moment")
