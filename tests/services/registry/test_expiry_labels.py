"""Expiration labels: the end of a pushed tag, and the warning to its pusher."""

import datetime
import json
import os
from collections.abc import Callable

import pytest

from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.services.lifecycle.tag_history import TagHistoryQuery, TagLife
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_config,
    a_manifest,
    a_repository,
    an_index,
    push_image,
    push_manifest,
    token_actor,
)
from tests.support.rows import events
from tests.support.sweeping import sweep
from tests.support.tag_actions import TagActions

NAME = RepositoryName.parse("admin/app")
BUILT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def push(backend: Backend, manifest: Manifest, *tags: str) -> str:
    return backend.services.registry.manifests.push(
        token_actor(backend, "admin", "admin/app"), NAME, manifest, [Tag(tag) for tag in tags]
    )


def newest(backend: Backend, tag: str = "v1") -> TagLife:
    query = TagHistoryQuery(1, tag=tag)
    (life,) = backend.services.lifecycle.tag_history.page(backend.signed_in("admin"), NAME, query).lives
    return life


def built(backend: Backend, label: str) -> Manifest:
    """Returns an image that was built at `BUILT`."""
    config = {
        "created": BUILT.isoformat(),
        "config": {"Labels": {"quay.expires-after": label}, "Env": [os.urandom(8).hex()]},
    }
    return a_manifest([], a_blob(backend, json.dumps(config).encode()))


def test_an_index_has_the_end_of_its_images_even_if_an_attestation_has_none(backend: Backend) -> None:
    images = [push_image(backend, labels={"quay.expires-after": "3h"}) for _ in range(2)]
    attestation = push_manifest(backend, a_manifest())
    index = an_index([image.digest for image in [*images, attestation]])

    assert push(backend, index, "v1") == ""
    life = newest(backend)
    assert life.ended_at is not None
    assert 0 < life.ended_at - backend.clock() <= 3 * 3600
    invariants.check(backend)


def test_an_index_whose_images_differ_has_no_end(backend: Backend) -> None:
    images = [push_image(backend, labels={"quay.expires-after": label}) for label in ("3h", "4h")]
    push(backend, an_index([image.digest for image in images]), "v1")

    assert newest(backend).ended_at is None


def test_an_invalid_label_fails_no_push_and_is_in_the_answer_the_history_and_the_log(backend: Backend) -> None:
    a_repository(backend)
    manifest = a_manifest([], a_blob(backend, a_config({"quay.expires-after": "whenever"})))
    warning = push(backend, manifest, "v1")

    assert warning.startswith("quay.expires-after=whenever is ignored")
    assert newest(backend).warning == warning
    assert newest(backend).ended_at is None
    (record,) = events(backend, "tag_expiration_warned")
    assert "whenever" in record["metadata"]


def test_a_push_without_a_tag_has_no_warning(backend: Backend) -> None:
    a_repository(backend)
    assert push(backend, a_manifest([], a_blob(backend, a_config({"quay.expires-after": "whenever"})))) == ""
    assert events(backend, "tag_expiration_warned") == []


def test_a_label_can_count_from_the_build_of_the_image(new_backend: Callable[..., Backend]) -> None:
    backend = new_backend(tag_expiration_from="build")
    a_repository(backend)
    push(backend, built(backend, "9y"), "v1")

    assert newest(backend).ended_at == int(BUILT.timestamp()) + 9 * 365 * 86400


def test_an_image_pushed_after_its_end_is_in_the_time_machine_and_can_be_restored(
    new_backend: Callable[..., Backend],
) -> None:
    backend = new_backend(tag_expiration_from="build")
    a_repository(backend)
    manifest = built(backend, "1d")
    warning = push(backend, manifest, "v1")

    assert "had run out" in warning
    assert (
        list(backend.services.registry.tags.list(token_actor(backend, "admin", "admin/app"), NAME, None, 5).items) == []
    )
    invariants.check(backend)
    backend.clock.ahead_s += 1
    sweep(backend)
    TagActions(backend).restore("v1", str(manifest.digest))
    assert list(
        backend.services.registry.tags.list(token_actor(backend, "admin", "admin/app"), NAME, None, 5).items
    ) == ["v1"]


@pytest.mark.parametrize("label", ["0h", "-1h", "1000000000000d", "1y2d", ""])
def test_odd_labels_never_make_a_tag_that_is_expired_at_its_push(backend: Backend, label: str) -> None:
    push_image(backend, "v1", labels={"quay.expires-after": label})

    assert newest(backend).ended_at is None
