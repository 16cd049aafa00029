"""What a push or a change means for a tag. Times are in seconds since the epoch."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import DataInvalid
from chalicelib.domain.tags import clamped, end_of, is_alive


@dataclass(frozen=True, slots=True)
class TagState:
    """What a tag names since when, when it ends (None for never), and whether it is immutable."""

    digest: Digest
    started_at: int
    expires_at: int | None = None
    immutable: bool = False

    def is_alive(self, now: float) -> bool:
        """Whether readers see the tag."""
        return is_alive(self.expires_at, now)

    def may_change(self, now: float) -> bool:
        """Whether the tag may be moved, ended or deleted."""
        return not (self.immutable and self.is_alive(now))

    def may_name(self, digest: Digest, now: float) -> bool:
        """Whether a push or a retag may point the tag to a manifest: an immutable tag keeps the one that it has."""
        return self.digest == digest or self.may_change(now)

    def left_at(self, now: int) -> int:
        """When the tag stops naming its manifest if it leaves it now: its own end where that has passed."""
        return min(now, end_of(self.expires_at))


@dataclass(frozen=True, slots=True)
class TagUpdate:
    """A change of a tag by the API. `digest` and `immutable` are None where they stay.

    The end becomes `expires_at`, None for none, only where `sets_end` is true.
    """

    sets_end: bool = False
    expires_at: int | None = None
    immutable: bool | None = None
    digest: Digest | None = None

    def check(self, now: float) -> None:
        """Raises FieldInvalid for an end that has passed."""
        if self.expires_at is not None and self.expires_at <= now:
            raise DataInvalid("expiration", "this second has passed: say one that is to come, since the epoch")


@dataclass(frozen=True, slots=True)
class ExpirationBounds:
    """How far from a tag's beginning its end lies at least and at most, in seconds."""

    min_s: int
    max_s: int

    def end(self, expires_at: int | None, started_at: int) -> int | None:
        """Returns the end moved within the bounds; None stays None."""
        return clamped(expires_at, started_at, self.min_s, self.max_s)


def begins_again(stored: TagState | None, digest: Digest, expires_at: int | None, now: float) -> bool:
    """Whether a push begins a new life of the tag: each does, so that a tag is as old as its last push.

    Only the same push, repeated within the second in which the life began, changes nothing.
    """
    is_same = stored is not None and (stored.digest, stored.expires_at) == (digest, expires_at)
    return stored is None or not is_same or not stored.is_alive(now) or stored.started_at < now


def ends_earlier(stored: TagState, digest: Digest, expires_at: int | None) -> bool:
    """Whether a push of the manifest that the tag names leaves the tag an earlier end."""
    return stored.digest == digest and end_of(expires_at) < end_of(stored.expires_at)


def new_life(
    stored: TagState | None, digest: Digest, expires_at: int | None, now: int, *, is_covered: bool
) -> tuple[TagState, bool]:
    """Returns the tag as it begins to name a manifest, and whether a policy of immutability has made it immutable.

    A live tag that names the manifest already stays immutable. A policy that covers the tag (`is_covered`) makes it
    immutable unless it has an end.
    """
    stays_immutable = stored is not None and stored.digest == digest and stored.is_alive(now) and stored.immutable
    is_made_immutable = is_covered and expires_at is None and not stays_immutable
    return TagState(digest, now, expires_at, stays_immutable or is_made_immutable), is_made_immutable


def immutability(stored: TagState, update: TagUpdate, expires_at: int | None, name: str) -> bool:
    """Returns whether a tag is immutable after an update that leaves it this end.

    Raises FieldInvalid, in the words that Quay's clients match, for an immutable tag with an end.
    """
    if update.immutable and expires_at is not None:
        raise DataInvalid(
            "",
            f"Cannot make tag '{name}' immutable: tag has expiration set. Clear expiration first or enable"
            " FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE.",
        )
    return stored.immutable if update.immutable is None else update.immutable


def latest_end(edges: Mapping[str, int], changed: Mapping[str, int], forgotten: Container[str]) -> int | None:
    """Returns the latest end among the tags of a manifest, dead ones included; None where there is none.

    `edges` and `changed` map tags to their ends, the second before the first; forgotten tags do not count.
    """
    return max((end for tag, end in {**edges, **changed}.items() if tag not in forgotten), default=None)
