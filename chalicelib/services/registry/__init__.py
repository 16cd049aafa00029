"""Repositories, blobs, manifests, tags and uploads, as `/v2` serves them."""
