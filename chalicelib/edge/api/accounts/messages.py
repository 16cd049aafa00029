"""Messages to everybody."""

from typing import Any

from chalicelib.domain.messages import LONGEST, MEDIA_TYPES, SEVERITIES, Message
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import SUPER_USER
from chalicelib.edge.api.framework.operations import TEXT, Operations, a_list, an_object, nothing, one_of, text
from chalicelib.edge.response import Reply
from chalicelib.wiring import services

operations = Operations(__name__, "globalmessages")
PAGE = "text/html; charset=utf-8"
WORDS = {
    "content": text("The message itself", minLength=1, maxLength=LONGEST),
    "media_type": one_of(*MEDIA_TYPES),
    "severity": one_of(*SEVERITIES),
}
NEW = an_object({"message": an_object(WORDS)})
MESSAGES = an_object({"messages": a_list(an_object({"uuid": TEXT, **WORDS}))})


@operations.get("/api/v1/messages", "getGlobalMessages", answers={200: MESSAGES})
def list_messages() -> dict[str, Any]:
    """What superusers tell everybody, oldest first."""
    return {"messages": [_shape(message) for message in services().accounts.messages.all()]}


@operations.post(
    "/api/v1/messages", "createGlobalMessage", scope=SUPER_USER, body=NEW, answers={201: None}, is_fresh=True
)
def create(actor: Actor, body: dict[str, Any]) -> Reply:
    """Tells everybody something, as a superuser."""
    message = body["message"]
    services().accounts.messages.create(actor, message["content"], message["severity"], message["media_type"])
    return nothing(201, PAGE)


@operations.delete(
    "/api/v1/message/{uuid}", "deleteGlobalMessage", scope=SUPER_USER, answers={204: None}, is_fresh=True
)
def delete(actor: Actor, uuid: str) -> Reply:
    """Takes a message away, as a superuser."""
    services().accounts.messages.delete(actor, uuid)
    return nothing(204, PAGE)


def _shape(message: Message) -> dict[str, Any]:
    return {
        "uuid": message.uuid,
        "content": message.content,
        "severity": message.severity,
        "media_type": message.media_type,
    }
