"""Where a request comes from: straight from a client, or through CloudFront, which alone may then ask."""

import hmac

from chalice.app import Request

from chalicelib.domain.errors import WrongEndpoint
from chalicelib.settings import settings
from chalicelib.wiring import services


def check_origin(request: Request | None) -> None:
    """Raises WrongDoor where only CloudFront may ask and the request does not show its secret."""
    if not settings().origin:
        return
    shown = ((request.headers.get("origin-secret") if request else None) or "").encode("utf-8", "replace")
    if not any(hmac.compare_digest(secret.encode(), shown) for secret in services().stores.secrets.origin):
        raise WrongEndpoint(settings().url)


def address_of(request: Request) -> str:
    """The client's address: what API Gateway saw, or what CloudFront tells of its viewer; never X-Forwarded-For."""
    if settings().origin:
        return request.headers.get("viewer-address") or ""
    address: str = request.context.get("identity", {}).get("sourceIp", "")
    return address
