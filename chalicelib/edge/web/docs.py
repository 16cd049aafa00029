"""The documentation page: Swagger UI over `/openapi.json`, from files that Powertools contains.

The page runs only those files' scripts and ours, and sends no cookie (ADR 0011).
"""

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path

from chalice.app import Blueprint

from chalicelib.domain.browsers import page_headers
from chalicelib.domain.errors import ResourceUnknown
from chalicelib.edge import request
from chalicelib.edge.response import Headers, Reply, empty
from chalicelib.settings import settings

blueprint = Blueprint(__name__)
READS = ["GET", "HEAD"]
SWAGGER_UI = ("event_handler", "openapi", "swagger_ui")
FOREVER = "public, max-age=31536000, immutable"


def _of_powertools(name: str) -> Callable[[], bytes]:
    return lambda: files("aws_lambda_powertools").joinpath(*SWAGGER_UI, name).read_bytes()


# Assets by name: the content type, and a function that reads the bytes.
ASSETS = {
    "swagger-ui.js": ("text/javascript; charset=utf-8", _of_powertools("swagger-ui-bundle.min.js")),
    "swagger-ui.css": ("text/css; charset=utf-8", _of_powertools("swagger-ui.min.css")),
    "docs.css": ("text/css; charset=utf-8", Path(__file__).with_name("docs.css").read_bytes),
    "docs.js": ("text/javascript; charset=utf-8", Path(__file__).with_name("docs.js").read_bytes),
}


@dataclass(frozen=True)
class Asset:
    """A file of the page; `version` changes with its bytes."""

    kind: str
    content: bytes

    @cached_property
    def version(self) -> str:
        """Returns the first 16 hex digits of the SHA-256 of the bytes."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @cached_property
    def compressed(self) -> bytes:
        """Returns the bytes compressed with gzip."""
        return gzip.compress(self.content, mtime=0)


@lru_cache
def asset(name: str) -> Asset:
    """Returns a file of the page, read once. Raises ResourceUnknown."""
    if name not in ASSETS:
        raise ResourceUnknown("file", name)
    kind, read = ASSETS[name]
    return Asset(kind, read())


@blueprint.route("/", methods=READS)
def root() -> Reply:
    """Redirects to the documentation page, for people who open the registry's address."""
    return empty(302, {"Location": "/docs", "Cache-Control": "no-cache"})


@blueprint.route("/docs", methods=READS)
def page() -> Reply:
    """Returns the documentation page."""
    script, starter, style, narrow = (
        _address(name) for name in ("swagger-ui.js", "docs.js", "swagger-ui.css", "docs.css")
    )
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Cloudberth: API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="{style}"><link rel="stylesheet" href="{narrow}">'
        f'<script defer src="{script}"></script>'
        f'<script defer src="{starter}"></script></head><body><main id="docs"></main>'
        '<noscript>This page needs JavaScript; <a href="/openapi.json">the document</a> does not.</noscript>'
        "</body></html>"
    )
    return Reply(
        document, _security_headers() | {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache"}, 200
    )


@blueprint.route("/docs/{name}", methods=READS)
def file(name: str) -> Reply:
    """Returns a file of the documentation page; clients cache it for ever if they ask for its version."""
    file_asset = asset(name)
    has_version = request.parameter("v") == file_asset.version
    headers: Headers = {
        "Content-Type": file_asset.kind,
        "Cache-Control": FOREVER if has_version else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if "gzip" not in request.header("accept-encoding"):
        return Reply(file_asset.content, headers, 200)
    return Reply(file_asset.compressed, headers | {"Content-Encoding": "gzip"}, 200)


def _address(name: str) -> str:
    return f"/docs/{name}?v={asset(name).version}"


def _security_headers() -> Headers:
    """Returns the security headers of a page that loads and calls this registry only."""
    return page_headers(
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        f"connect-src 'self' {settings().url}",
        "form-action 'none'",
    )
