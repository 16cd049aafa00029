"""How the installation is set up and whether it works, for superusers."""

from typing import Any

from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import SUPER_USER
from chalicelib.edge.api.framework.operations import TEXT, Operations, an_object
from chalicelib.settings import Settings, settings
from chalicelib.wiring import services

operations = Operations(__name__, "superuser")
CONFIG = an_object({"config": an_object(), "warning": an_object(), "env": an_object(), "schema": an_object()})
# Where the keys lie that sign and seal is nobody's business.
UNTOLD = ("secrets",)


@operations.get("/api/v1/superuser/config", "getConfiguration", scope=SUPER_USER, answers={200: CONFIG}, is_fresh=True)
def config(actor: Actor) -> dict[str, Any]:
    """The settings of this installation, by their names in the environment."""
    services().security.access.superuser(actor)
    chosen = settings()
    told = {name: getattr(chosen, name) for name in Settings.__dataclass_fields__ if name not in UNTOLD}
    shown = {f"CLOUDBERTH_{name.upper()}": value for name, value in told.items()}
    return {"config": shown, "warning": {}, "env": {}, "schema": {}}


@operations.get(
    "/api/v1/superuser/registrystatus",
    "scRegistryStatus",
    scope=SUPER_USER,
    answers={200: an_object({"status": TEXT})},
    is_internal=True,
)
def status(actor: Actor) -> dict[str, str]:
    """`ready`, or what does not answer."""
    services().security.access.superuser(actor)
    found = services().catalog.health.health()
    missing = [name for name in ("table", "bucket", "keys") if not getattr(found, name)]
    return {"status": f"without {', '.join(missing)}" if missing else "ready"}
