"""Cloudberth's entry: the chalice app and its blueprints, one line per event source."""

from chalicelib.edge.application import Application
from chalicelib.edge.registry import blobs, catalog, manifests, referrers, relays, tags, token, uploads, version

app = Application("cloudberth")
for module in (version, token, catalog, manifests, blobs, uploads, relays, tags, referrers):
    app.register_blueprint(module.blueprint)
