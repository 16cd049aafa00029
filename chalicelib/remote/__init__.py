"""Whom we call: other registries, webhooks, issuers of tokens, all under one guard."""
