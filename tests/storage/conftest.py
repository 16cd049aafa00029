"""Fixtures that put a server between a connection and DynamoDB, which can change requests and answers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import pytest
from pynamodb.connection.base import MetaTable

from chalicelib.storage.connection import ReadingConnection
from chalicelib.storage.table import description
from tests.storage.fronts import Front
from tests.support.backends import Backend

Ways = tuple[Front, dict[str, ReadingConnection]]


@pytest.fixture(scope="session")
def ways(aws: tuple[Mapping[str, str], Path]) -> Iterator[Ways]:
    """Yields the front and a connection through it for each way of reading, once per session as botocore is slow."""
    environment, _ = aws
    with Front(environment["AWS_ENDPOINT_URL_DYNAMODB"]) as front:
        connections = {}
        with mock.patch.dict(os.environ, {**environment, "AWS_ENDPOINT_URL_DYNAMODB": front.url}):
            for way in ("fast", "slow"):
                connections[way] = ReadingConnection(
                    fast_reads=way == "fast", max_pool_connections=2, region="us-east-1"
                )
                assert connections[way].client
        yield front, connections


@pytest.fixture
def front(backend: Backend, ways: Ways) -> Front:
    """Returns the front, after the backend is connected to it with fast reads."""
    front, connections = ways
    front.asked, front.tricks = [], []
    for connection in connections.values():
        connection.add_meta_table(MetaTable(description(backend.settings.table)))
    backend.services.stores.table.connection = connections["fast"]
    return front
