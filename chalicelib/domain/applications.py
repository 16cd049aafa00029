"""OAuth applications and their tokens, as the API describes them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Application:
    """An application of an organization. `secret` is set only for those who administer it."""

    client_id: str
    organization: str
    name: str
    description: str = ""
    application_uri: str = ""
    redirect_uri: str = ""
    avatar_email: str | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an application. Times are in seconds since the epoch; `secret` is set only when it is created."""

    uuid: str
    scope: str
    name: str | None = None
    created_at: int | None = None
    created_by: str | None = None
    expires_at: int | None = None
    last_used_at: int | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Authorization:
    """A user's authorization of an application, with the scopes that it may use."""

    uuid: str
    application: Application
    scopes: tuple[str, ...]
