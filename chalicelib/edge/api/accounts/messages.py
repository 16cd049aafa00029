"""Messages of superusers to everybody."""

from typing import Any

from chalicelib.domain.messages import LONGEST, MEDIA_TYPES, SEVERITIES, Message
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import SUPER_USER
from chalicelib.edge.api.framework.operations import TEXT, Operations, a_list, an_object, nothing, one_of, text
from chalicelib.edge.response import Reply
from chalicelib.wiring import services

operations = Operations(__name__, "globalmessages")
PAGE = "text/html; charset=utf-8"
FIELDS = {
    "content": text("The text of the message", minLength=1, maxLength=LONGEST),
    "media_type": one_of(*MEDIA_TYPES),
    "severity": one_of(*SEVERITIES),
}
NEW = an_object({"message": an_object(FIELDS)})
MESSAGES = an_object({"messages": a_list(an_object({"uuid": TEXT, **FIELDS}))})


@operations.get("/api/v1/messages", "getGlobalMessages", answers={200: MESSAGES})
def list_messages() -> dict[str, Any]:
    """Lists the messages of superusers to everybody, oldest first."""
    return {"messages": [_message_json(message) for message in services().accounts.messages.all()]}


@operations.post(
    "/api/v1/messages",
    "createGlobalMessage",
    scope=SUPER_USER,
    body=NEW,
    answers={201: None},
    aborts=(403,),
    is_fresh=True,
)
def create(actor: Actor, body: dict[str, Any]) -> Reply:
    """Creates a message to everybody, as a superuser."""
    message = body["message"]
    services().accounts.messages.create(actor, message["content"], message["severity"], message["media_type"])
    return nothing(201, PAGE)


@operations.delete(
    "/api/v1/message/{uuid}",
    "deleteGlobalMessage",
    scope=SUPER_USER,
    answers={204: None},
    aborts=(403,),
    is_fresh=True,
)
def delete(actor: Actor, uuid: str) -> Reply:
    """Deletes a message, as a superuser."""
    services().accounts.messages.delete(actor, uuid)
    return nothing(204, PAGE)


def _message_json(message: Message) -> dict[str, Any]:
    return {
        "uuid": message.uuid,
        "content": message.content,
        "severity": message.severity,
        "media_type": message.media_type,
    }
