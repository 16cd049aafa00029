"""The 401 challenge: the endpoint and the scope of the token that a client needs (RFC 6750)."""

from chalice.app import Request

from chalicelib.domain.names import REPOSITORY
from chalicelib.edge.response import Headers
from chalicelib.settings import settings

PUSHING = "pull,push"
ACTIONS = {"GET": "pull", "HEAD": "pull", "DELETE": "pull,delete"}


def challenge(request: Request | None, error: str) -> Headers:
    """Returns the challenge twice: API Gateway may rename the first header, Terraform maps the second onto it."""
    config = settings()
    words = [f'Bearer realm="{config.url}/v2/auth"', f'service="{config.service}"']
    if scope := _scope(request):
        words.append(f'scope="{scope}"')
    if error:
        words.append(f'error="{error}"')
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
    # A push begins with HEAD of a blob, and oras (Python) never asks for a token with more rights than its first.
    begins_push = request.method == "HEAD" and request.path.endswith("/blobs/{digest}")
    scope = f"repository:{name}:{PUSHING if begins_push else ACTIONS.get(request.method, PUSHING)}"
    source = request.query_params.get("from") if request.query_params else None
    return f"{scope} repository:{source}:pull" if source and REPOSITORY.fullmatch(source) else scope
