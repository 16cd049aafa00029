"""Builds valid objects with defaults: manifests, blobs, pushes, accounts."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from chalicelib.domain import media_types
from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.digests import Digest
from chalicelib.domain.ids import ulid
from chalicelib.domain.manifests import Manifest, parse_manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.quotas import Limit, Quota, Severity
from chalicelib.domain.repositories import Repository
from chalicelib.domain.teams import TeamRole
from chalicelib.services.identity.authentication import PREFIXES
from chalicelib.services.security.sealing import hashed, random_secret
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.accounts.accounts import AccountNameRow, NamespaceRow
from chalicelib.storage.accounts.permissions import PermissionStore, RoleHolder
from chalicelib.storage.accounts.quotas import set_quota
from chalicelib.storage.accounts.teams import TeamRow, TeamStore
from chalicelib.storage.identity.tokens import TokenKind, TokenRow, TokenStore
from chalicelib.storage.table import Transaction
from tests.support.backends import Backend

# The sizes of the blobs and manifests that were built, which descriptors must have.
_SIZES: dict[Digest, int] = {}


def a_config(labels: Mapping[str, str] | None = None) -> bytes:
    """Returns an image's config, different each time."""
    config = {"Labels": dict(labels or {}), "Env": [os.urandom(8).hex()]}
    return json.dumps({"architecture": "amd64", "os": "linux", "config": config}).encode()


def built(content: bytes, algorithm: str = "sha256") -> Digest:
    """Returns the digest of content that a test pushes in a way of its own, whose size descriptors then have."""
    digest = Digest.of(content, algorithm)
    _SIZES[digest] = len(content)
    return digest


def a_blob(backend: Backend, content: bytes | None = None, repository: str = "admin/app") -> Digest:
    """Pushes a blob, of random content by default; returns its digest."""
    content = os.urandom(64) if content is None else content
    name = RepositoryName.parse(repository)
    digest = built(content)
    backend.services.registry.uploads.push(token_actor(backend, name.namespace, repository), name, digest, content)
    return digest


def a_descriptor(
    digest: Digest, media_type: str = "application/vnd.oci.image.layer.v1.tar", size: int | None = None
) -> dict[str, object]:
    """Returns a descriptor, as manifests contain them. `size` is in bytes, by default that of what was built."""
    return {"mediaType": media_type, "digest": str(digest), "size": _SIZES.get(digest, 64) if size is None else size}


def a_manifest(
    blobs: Sequence[Digest] = (),
    config: Digest | None = None,
    subject: Digest | None = None,
    **fields: object,
) -> Manifest:
    """Returns a parsed manifest of these blobs, different each time: an image with a config, else an artifact."""
    media_type = media_types.OCI_MANIFEST if config else "application/vnd.example.bundle.v1+json"
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "layers": [a_descriptor(blob) for blob in blobs],
        "annotations": {"org.example.nonce": os.urandom(8).hex()},
    }
    if config:
        document["config"] = a_descriptor(config, media_types.OCI_CONFIG)
    if subject:
        document["subject"] = a_descriptor(subject, media_types.OCI_MANIFEST)
    return _parsed(document | fields, media_type)


def an_index(children: Sequence[Digest] = (), **fields: object) -> Manifest:
    """Returns a parsed index of these manifests."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [a_descriptor(child, media_types.OCI_MANIFEST) for child in children],
        "annotations": {"org.example.nonce": os.urandom(8).hex()},
    }
    return _parsed(document | fields, media_types.OCI_INDEX)


def _parsed(document: Mapping[str, object], media_type: str) -> Manifest:
    manifest = parse_manifest(json.dumps(document).encode(), media_type)
    _SIZES[manifest.digest] = manifest.size
    return manifest


def push_image(
    backend: Backend,
    *tags: str,
    layers: int = 1,
    repository: str = "admin/app",
    labels: Mapping[str, str] | None = None,
) -> Manifest:
    """Pushes an image with its blobs."""
    blobs = [a_blob(backend, repository=repository) for _ in range(layers)]
    return push_manifest(
        backend, a_manifest(blobs, a_blob(backend, a_config(labels), repository)), *tags, repository=repository
    )


def token_actor(backend: Backend, account: str, *repositories: str) -> Actor:
    """Returns the actor of a token for these repositories, without the slow check of the password."""
    row = backend.account(account)
    walked = (
        backend.services.security.access.walk(row, RepositoryName.parse(repository)) for repository in repositories
    )
    return Actor(row.id, row.name, row.kind, row.epoch, {grant.name: grant for grant in walked}, has_token=True)


def a_repository(backend: Backend, repository: str = "admin/app") -> Repository:
    """Returns a repository of its namespace's user; creates it if needed."""
    name = RepositoryName.parse(repository)
    return backend.services.registry.repositories.for_push(token_actor(backend, name.namespace, repository), name)


def an_actor_with_role(backend: Backend, account: str, role: Role, repository: str = "admin/app") -> Actor:
    """Gives an account a role on a repository, which must exist; returns the actor of its token."""
    name = RepositoryName.parse(repository)
    owner = token_actor(backend, name.namespace, repository)
    backend.services.accounts.permissions.put(owner, name, HolderKind.USER, account, role)
    return token_actor(backend, account, repository)


def push_manifest(backend: Backend, manifest: Manifest, *tags: str, repository: str = "admin/app") -> Manifest:
    """Pushes a manifest; what it names must exist."""
    name = RepositoryName.parse(repository)
    actor, parsed = token_actor(backend, name.namespace, repository), [Tag(tag) for tag in tags]
    backend.services.registry.manifests.push(actor, name, manifest, parsed)
    return manifest


def a_referrer(backend: Backend, subject: Digest, repository: str = "admin/app", **fields: Any) -> Manifest:
    """Pushes an artifact without blobs that refers to a subject."""
    return push_manifest(backend, a_manifest(subject=subject, **fields), repository=repository)


def a_direct_upload(backend: Backend, content: bytes, at: float | None = None, repository: str = "admin/app") -> str:
    """Writes bytes as the upload edge does, for an upload that began at `at`; returns their key."""
    digest = built(content)
    key = bucket_keys.edge_prefix(a_repository(backend, repository).id, digest) + ulid(at)
    backend.services.stores.objects.put(key, content, digest)
    return key


def an_organization(backend: Backend, name: str = "acme", owner: str = "admin") -> str:
    """Creates an organization with its team of owners, row by row; returns its id."""
    identifier, account = ulid(), backend.account(owner)
    transaction, teams = Transaction(), TeamStore()
    kind = AccountKind.ORGANIZATION.value
    transaction.put(AccountNameRow.under(keys.account_name(name), id=identifier, kind=kind))
    view = {"view": keys.view_accounts(kind), "view_at": name}
    transaction.put(NamespaceRow.under(keys.namespace(identifier), name=name, kind=kind, **view))
    team = a_team_row(identifier, "owners", TeamRole.ADMIN)
    teams.add(transaction, team)
    teams.join(transaction, team, account.id, account.name, account.kind)
    transaction.commit()
    return identifier


def an_oauth_token(backend: Backend, account: str, scope: str = "user:admin") -> str:
    """Creates an OAuth token of a user with these scopes; returns its secret."""
    return a_random_token(backend, account, TokenKind.OAUTH, scopes=scope)


def a_random_token(backend: Backend, account: str, kind: TokenKind, **fields: str | None) -> str:
    """Writes a token of an account, row by row; returns its secret."""
    row, secret = backend.account(account), random_secret(PREFIXES[kind])
    attributes = {"kind": kind, "owner_id": row.id, "uuid": str(uuid4()), "epoch": row.epoch, "sha256": hashed(secret)}
    token, transaction = TokenRow.under(keys.token(hashed(secret)), **attributes, **fields), Transaction()
    TokenStore().add(transaction, token, keys.account_token(row.id, kind, token.uuid))
    transaction.commit()
    return secret


def a_quota(backend: Backend, limit_bytes: int, account: str = "admin") -> None:
    """Gives a namespace a quota that rejects pushes above it."""
    pointer = backend.services.stores.accounts.find(account)
    assert pointer is not None
    row = backend.services.stores.accounts.namespace(pointer.id)
    assert row is not None
    set_quota(row, Quota(1, limit_bytes, (Limit(1, Severity.REJECT, 100),)))
    row.save()


def a_team_row(organization_id: str, name: str, role: TeamRole) -> TeamRow:
    """Returns the row of a team that is not written yet."""
    identifier = ulid()
    return TeamRow.under(keys.team(identifier), id=identifier, namespace_id=organization_id, name=name, role=role)


def an_organization_repository(backend: Backend, repository: str = "acme/app", by: str = "admin") -> Repository:
    """Creates a repository of an organization, on which no account has a direct role."""
    name, creator = RepositoryName.parse(repository), backend.account(by)
    created = backend.services.registry.repositories.for_push(token_actor(backend, by, repository), name)
    holder = RoleHolder(creator.id, creator.name, HolderKind(creator.kind))
    PermissionStore().end_role((created.namespace_id, created.id), holder)
    return created


def a_team(
    backend: Backend, name: str, role: TeamRole, *members: str, organization: str = "acme", by: str = "admin"
) -> str:
    """Creates a team with members, as an owner; returns its id."""
    view, _ = backend.services.accounts.teams.put(backend.signed_in(by), organization, name, role, None)
    for member in members:
        backend.services.accounts.teams.add_member(backend.signed_in(by), organization, name, member)
    return view.team.id
