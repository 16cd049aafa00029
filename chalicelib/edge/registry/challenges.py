"""The 401 challenge: where a client gets a token, and for what (RFC 6750; the scope grammar of distribution)."""

from chalice.app import Request

from chalicelib.domain.names import REPOSITORY
from chalicelib.edge.response import Headers
from chalicelib.settings import settings

PUSHING = "pull,push"
ACTIONS = {"GET": "pull", "HEAD": "pull", "DELETE": "pull,delete"}


def challenge(request: Request | None, why: str) -> Headers:
    """Both headers: API Gateway may rename the first, Terraform maps the second onto it."""
    chosen = settings()
    words = [f'Bearer realm="{chosen.url}/v2/auth"', f'service="{chosen.service}"']
    if scope := _scope(request):
        words.append(f'scope="{scope}"')
    if why:
        words.append(f'error="{why}"')
    value = ",".join(words)
    return {"WWW-Authenticate": value, "Registry-Challenge": value}


def _scope(request: Request | None) -> str:
    if request is None:
        return ""
    if request.path == "/v2/_catalog":
        return "registry:catalog:*"
    name = (request.uri_params or {}).get("repository", "")
    if not REPOSITORY.fullmatch(name):
        return ""
    # Asking for a blob is how a push begins, and oras (Python) never asks for a better token than its first.
    begins_push = request.method == "HEAD" and request.path.endswith("/blobs/{digest}")
    asked = f"repository:{name}:{PUSHING if begins_push else ACTIONS.get(request.method, PUSHING)}"
    source = request.query_params.get("from") if request.query_params else None
    return f"{asked} repository:{source}:pull" if source and REPOSITORY.fullmatch(source) else asked
