"""The origin of a request: a client itself, or CloudFront, which then is the only permitted caller."""

import hmac

from chalice.app import Request

from chalicelib.domain.errors import WrongEndpoint
from chalicelib.settings import settings
from chalicelib.wiring import services


def check_origin(request: Request | None) -> None:
    """Raises WrongEndpoint where only CloudFront may call and the request does not carry its secret."""
    if not settings().origin:
        return
    header = ((request.headers.get("origin-secret") if request else None) or "").encode("utf-8", "replace")
    if not any(hmac.compare_digest(secret.encode(), header) for secret in services().stores.secrets.origin):
        raise WrongEndpoint(settings().url)


def client_address(request: Request) -> str:
    """Returns the client's IP address as API Gateway or CloudFront saw it; never that of X-Forwarded-For."""
    if settings().origin:
        return request.headers.get("viewer-address") or ""
    address: str = request.context.get("identity", {}).get("sourceIp", "")
    return address
