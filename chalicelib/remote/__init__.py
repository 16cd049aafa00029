"""Outgoing requests to other registries, webhooks and issuers of tokens, all through one guard."""
