"""The kinds of errors, from which all others derive."""


class RegistryError(Exception):
    """An error that the caller receives. `detail` has its fields for programs."""

    @property
    def detail(self) -> dict[str, object]:
        """The fields of this error, as values that JSON can hold."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


class Invalid(RegistryError):
    """The request is invalid and can never be accepted."""


class OutOfOrder(RegistryError):
    """The chunk does not begin where the upload ends."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the upload has {offset} bytes: the next chunk must begin at {offset}")
        self.offset = offset


class NotFound(RegistryError):
    """The requested resource does not exist."""


class Unauthenticated(RegistryError):
    """The caller is not authenticated, or not sufficiently. `why` is OAuth's error code, empty without credentials."""

    def __init__(self, message: str = "authentication required", why: str = "") -> None:
        super().__init__(message)
        self._why = why

    @property
    def why(self) -> str:
        """`invalid_token`, `insufficient_scope` or an empty text (RFC 6750 section 3.1)."""
        return self._why


class Denied(RegistryError):
    """The caller is authenticated and lacks the right."""

    def __init__(self, name: str, action: str) -> None:
        super().__init__(f"you may not {action} {name}, or it does not exist")
        self.name, self.action = name, action


class CsrfInvalid(RegistryError):
    """The change may come from another site's page in the user's name: its CSRF token is missing or wrong."""

    def __init__(self) -> None:
        super().__init__("CSRF token was invalid or missing.")


class TooManyAttempts(RegistryError):
    """Too many failed sign-ins, or sign-ups. `retry_after_s` is how long to wait, in seconds."""

    def __init__(self, retry_after_s: int) -> None:
        unit = "second" if retry_after_s == 1 else "seconds"
        super().__init__(f"Too many attempts: try again in {retry_after_s} {unit}")
        self.retry_after_s = retry_after_s


class WrongEndpoint(RegistryError):
    """The request bypassed CloudFront, through which alone the registry is open."""

    def __init__(self, url: str) -> None:
        super().__init__(f"this address is closed: ask {url}")
        self.url = url


class TooLarge(RegistryError):
    """The body has more bytes than are accepted."""


class Conflict(RegistryError):
    """The current state forbids the change."""


class Unsupported(RegistryError):
    """The registry understands the request and does not support it."""


class Unavailable(RegistryError):
    """Too many concurrent changes of the same item, or another service that does not answer."""

    def __init__(self, why: str = "too many changes at once", retry_after_s: int = 1) -> None:
        super().__init__(f"{why}: try again in {'a moment' if retry_after_s == 1 else f'{retry_after_s} seconds'}")
        self.retry_after_s = retry_after_s
