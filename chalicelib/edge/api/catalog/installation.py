"""The settings and the status of the installation, for superusers."""

from pathlib import Path
from typing import Any

from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import SUPER_USER
from chalicelib.edge.api.framework.operations import TEXT, Operations, an_object
from chalicelib.settings import Settings, settings
from chalicelib.wiring import services

operations = Operations(__name__, "superuser")
CONFIG = an_object({"config": an_object(), "warning": an_object(), "env": an_object(), "schema": an_object()})
# The location of the keys that sign and seal stays secret.
SECRET = ("secrets",)
# It lies beside app.py, in the package for Lambda, too.
CHANGELOG = Path(__file__).parents[4] / "CHANGELOG.md"


@operations.get("/api/v1/superuser/config", "getConfiguration", scope=SUPER_USER, answers={200: CONFIG}, is_fresh=True)
def config(actor: Actor) -> dict[str, Any]:
    """Returns the settings of this installation by their names in the environment."""
    services().security.access.superuser(actor)
    values = settings()
    shown = {name: getattr(values, name) for name in Settings.__dataclass_fields__ if name not in SECRET}
    variables = {f"CLOUDBERTH_{name.upper()}": value for name, value in shown.items()}
    return {"config": variables, "warning": {}, "env": {}, "schema": {}}


@operations.get(
    "/api/v1/superuser/changelog",
    "getChangeLog",
    scope=SUPER_USER,
    answers={200: an_object({"log": TEXT})},
    is_fresh=True,
    is_internal=True,
    slash=True,
)
def change_log(actor: Actor) -> dict[str, str]:
    """Returns the changelog of the running version, as Markdown."""
    services().security.access.superuser(actor)
    return {"log": CHANGELOG.read_text("utf-8")}


@operations.get(
    "/api/v1/superuser/registrystatus",
    "scRegistryStatus",
    scope=SUPER_USER,
    answers={200: an_object({"status": TEXT})},
    is_internal=True,
)
def status(actor: Actor) -> dict[str, str]:
    """Returns `ready`, or the parts that do not answer."""
    services().security.access.superuser(actor)
    health = services().catalog.health.health()
    missing = [name for name in ("table", "bucket", "keys") if not getattr(health, name)]
    return {"status": f"without {', '.join(missing)}" if missing else "ready"}
