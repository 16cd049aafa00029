"""Cloudberth's entry point: the chalice app and its blueprints, one line per event source."""

import gc

# The imports make a hundred thousand objects that stay: collecting among them would cost a tenth of a cold start.
gc.disable()

from chalice.app import Blueprint  # noqa: E402 - after the collector is off

from chalicelib.edge.application import RegistryApp  # noqa: E402
from chalicelib.edge.jobs import dispatch, mirrors, reconcile, timers  # noqa: E402
from chalicelib.edge.registry import (  # noqa: E402
    blobs,
    catalog,
    manifests,
    referrers,
    relays,
    tags,
    token,
    uploads,
    version,
)


def outside_registry() -> list[Blueprint]:
    """Returns the blueprints of the API, OAuth and the pages; a pull must not wait for their imports."""
    from chalicelib.edge.api.concepts import CONCEPTS
    from chalicelib.edge.api.unserved import UNSERVED
    from chalicelib.edge.web import docs

    app.register_unserved(UNSERVED)
    return [*(concept.operations.blueprint for concept in CONCEPTS), docs.blueprint]


app = RegistryApp("cloudberth")
for module in (
    version,
    token,
    catalog,
    manifests,
    blobs,
    uploads,
    relays,
    tags,
    referrers,
    dispatch,
    mirrors,
    reconcile,
    timers,
):
    app.register_blueprint(module.blueprint)
app.register_late(outside_registry)

gc.freeze()
gc.enable()
