"""Cloudberth's entry: the chalice app and its blueprints, one line per event source."""

import gc

# The imports make a hundred thousand objects that stay: to collect among them would cost a tenth of a cold start.
gc.disable()

from chalicelib.edge.api.concepts import CONCEPTS  # noqa: E402 - after the collector is off
from chalicelib.edge.application import Application  # noqa: E402
from chalicelib.edge.jobs import reconcile  # noqa: E402
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

app = Application("cloudberth")
for module in (version, token, catalog, manifests, blobs, uploads, relays, tags, referrers, reconcile):
    app.register_blueprint(module.blueprint)
for concept in CONCEPTS:
    app.register_blueprint(concept.operations.blueprint)

gc.freeze()
gc.enable()
