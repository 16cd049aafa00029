"""What a browser may do with an answer: run nothing, unless the answer is one of the registry's own pages.

Content is what somebody pushed, and every answer has the registry's origin, where the sessions of its users are. The
app, the local gateway and the relay add these headers; infra/terraform/cloudfront.tf has them for CloudFront's answers.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

POLICY, NO_SNIFFING = "Content-Security-Policy", "X-Content-Type-Options"
PROTECTIONS = {POLICY: "default-src 'none'; sandbox", NO_SNIFFING: "nosniff"}
# Content that was pushed is saved and not shown.
CONTENT = {"Content-Disposition": "attachment"}
CONTENT_TYPE = "application/octet-stream"
PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")


def missing_protections(names: Iterable[str]) -> dict[str, str]:
    """Returns the protections that an answer with headers of these names lacks: a page has a policy of its own."""
    present = {name.lower() for name in names}
    return {name: value for name, value in PROTECTIONS.items() if name.lower() not in present}


def page_headers(*directives: str) -> dict[str, str]:
    """Returns the security headers of a page that nobody may frame and that does only what the directives allow."""
    policy = ("default-src 'none'", *directives, "frame-ancestors 'none'", "base-uri 'none'")
    return {
        **PROTECTIONS,
        POLICY: "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }


def form_action(address: str = "") -> str:
    """Returns the directive of a page whose forms go to the registry, which may then redirect to this address.

    Browsers check the redirect, too. A policy can name no IPv6 address; the scheme stands for such a host.
    """
    parts = urlsplit(address)
    origin = f"{parts.scheme}://{parts.netloc}" if PLAIN_HOST.fullmatch(parts.netloc) else f"{parts.scheme}:"
    return f"form-action 'self' {origin}" if parts.scheme in ("http", "https") else "form-action 'self'"
