"""Deleted repositories: lists and restores them. Quay cannot: it deletes repositories at once."""

from typing import Any

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import REPO_ADMIN
from chalicelib.edge import request
from chalicelib.edge.api.framework.operations import FLAG, TEXT, Operations, Parameter, a_list, an_object, text
from chalicelib.edge.api.framework.shapes import date
from chalicelib.services.lifecycle.repository_deletion import DeletedRepository
from chalicelib.wiring import services

operations = Operations(__name__, "repository")

DELETED = an_object(
    {
        "id": TEXT,
        "namespace": TEXT,
        "name": TEXT,
        "is_public": FLAG,
        "description": TEXT,
        "deleted": TEXT,
        "restorable_until": TEXT,
    }
)
RESTORED = an_object({"namespace": TEXT, "name": TEXT})
RESTORE = an_object(name=text("A new name for the repository, if its own is taken"))


@operations.get(
    "/api/v1/repository/deleted",
    "listDeletedRepos",
    scope=REPO_ADMIN,
    answers={200: an_object({"repositories": a_list(DELETED)})},
    parameters=(Parameter("namespace", "string", "The user or organization that owned them", required=True),),
    errors=(404,),
)
def list_deleted(actor: Actor) -> dict[str, Any]:
    """Lists deleted repositories of a namespace that can be restored."""
    namespace = request.parameter("namespace")
    if not namespace:
        raise FieldInvalid("namespace", "give the namespace whose repositories to list")
    return {
        "repositories": [
            deleted_repository_json(one)
            for one in services().lifecycle.repository_deletion.of_namespace(actor, namespace)
        ]
    }


@operations.post(
    "/api/v1/repository/deleted/{repository_id}/restore",
    "restoreDeletedRepo",
    scope=REPO_ADMIN,
    body=RESTORE,
    is_body_optional=True,
    answers={200: RESTORED},
    errors=(409, 410),
)
def restore(actor: Actor, repository_id: str, body: dict[str, Any]) -> dict[str, str]:
    """Restores a deleted repository with its tags, permissions and history."""
    name = services().lifecycle.repository_deletion.restore(actor, repository_id, body.get("name"))
    return {"namespace": name.namespace, "name": name.repository}


def deleted_repository_json(deleted: DeletedRepository) -> dict[str, Any]:
    """Returns a deleted repository."""
    return {
        "id": deleted.id,
        "namespace": deleted.namespace,
        "name": deleted.name,
        "is_public": deleted.is_public,
        "description": deleted.description,
        "deleted": date(deleted.deleted_at),
        "restorable_until": date(deleted.restorable_until),
    }
