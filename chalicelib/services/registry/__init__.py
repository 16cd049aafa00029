"""What `/v2` serves: repositories, blobs, manifests, tags, uploads."""
