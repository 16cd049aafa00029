"""Errors about other registries. Their sentences stand in answers, in runs of mirrors and in the usage log."""

from chalicelib.domain.errors.accounts import FieldInvalid

REFERENCE, USERNAME, CONFIG = "external_reference", "external_registry_username", "external_registry_config"


class UpstreamFailed(FieldInvalid):
    """The other registry did not do what was asked. `field` is the setting that may mend it, `why` does not name it."""

    def __init__(self, why: str, field: str = REFERENCE) -> None:
        super().__init__(field, why)
        self.why = why

    def of_field(self, field: str) -> "UpstreamFailed":
        """Returns the same failure of another setting."""
        return UpstreamFailed(self.why, field)


class UpstreamUnreachable(UpstreamFailed):
    """The other registry does not answer, or not as a registry."""


class UpstreamSlow(UpstreamUnreachable):
    """The other registry has not answered in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:.0f} seconds")


class UpstreamUntrusted(UpstreamFailed):
    """The certificate of the other registry is not trusted, or it speaks http only."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(
            f"{host}: {why}: use a certificate that is trusted, or turn verify_tls off", f"{CONFIG}.verify_tls"
        )


class UpstreamDenied(UpstreamFailed):
    """The other registry refuses the credentials, or what they may do."""

    def __init__(self, host: str, name: str) -> None:
        remedy = f"check the password of {name[:80]!r} and its right to pull" if name else "say a username and password"
        super().__init__(f"{host} refuses access: {remedy}", USERNAME)


class UpstreamUnknown(UpstreamFailed):
    """The other registry does not have the repository, or does not show it with these credentials."""

    def __init__(self, host: str, path: str) -> None:
        super().__init__(f"{host} has no repository {path}, or shows it to others only: check the path and the user")


class UpstreamProxyFailed(UpstreamFailed):
    """The proxy refuses the connection or does not answer."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the proxy {why}: check its address, user and password", f"{CONFIG}.proxy")


class UpstreamLied(UpstreamFailed):
    """The other registry sent other content than the digest names."""


class UpstreamLimited(UpstreamFailed):
    """The other registry wants not to be asked before `until`, in seconds since the epoch."""

    def __init__(self, host: str, until: int) -> None:
        super().__init__(f"{host} limits how often it is asked")
        self.host, self.until = host, until
