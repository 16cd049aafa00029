"""The 401 challenge: the endpoint and the scope of the token that a client needs (RFC 6750).

Each operation declares its need where its route is declared. The services check the same needs (`Access.granted`).
"""

from collections.abc import Callable
from typing import Any

from chalice.app import Blueprint, Request

from chalicelib.domain.names import REPOSITORY
from chalicelib.domain.permissions import PULL, Need
from chalicelib.edge.response import Headers, challenged
from chalicelib.settings import settings

View = Callable[..., Any]
# The needs of the declared operations by their method and the pattern of their path.
NEEDS: dict[tuple[str, str], Need] = {}


def operation(blueprint: Blueprint, method: str, path: str, need: Need) -> Callable[[View], View]:
    """Declares an operation under `/v2` with what it needs of a token."""
    NEEDS[method, path] = need
    return blueprint.route(path, methods=[method])


def challenge(request: Request | None, error: str) -> Headers:
    """Returns the headers of a challenge."""
    config = settings()
    words = [f'Bearer realm="{config.url}/v2/auth"', f'service="{config.service}"']
    if scope := _scope(request):
        words.append(f'scope="{scope}"')
    if error:
        words.append(f'error="{error}"')
    return challenged(",".join(words))


def _scope(request: Request | None) -> str:
    need = NEEDS.get((request.method, request.path)) if request else None
    if request is None or need is None:
        return ""
    actions = ",".join(need.asked)
    if "{repository}" not in request.path:
        return f"registry:catalog:{actions}"
    name = (request.uri_params or {}).get("repository", "")
    if not REPOSITORY.fullmatch(name):
        return ""
    scope = f"repository:{name}:{actions}"
    source = request.query_params.get("from") if request.query_params else None
    return f"{scope} repository:{source}:{PULL}" if source and REPOSITORY.fullmatch(source) else scope
