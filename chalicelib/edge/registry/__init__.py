"""The API of OCI's distribution specification, under /v2."""
