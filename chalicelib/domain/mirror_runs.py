"""Runs of mirrors: how far they are, what they do with each tag, and how they end."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.signature_tags import is_signature_tag

# Seconds for which a worker has a run or a tag, after which it renews that, and after which it looks for a cancel.
LEASE_S, RENEW_S, LOOK_S = 180, 60, 8
# A tag or a list of tags that ended so many workers fails.
MOST_TRIES = 5
# How many runs of a mirror are kept, and for how many seconds the tags of a run.
KEPT_RUNS, KEPT_S = 20, 30 * 86_400
LONGEST_REASON = 1000
# The tag that a mirror usually has: a run says that it takes neither it nor a tag that is named outright.
LATEST = "latest"
# Why a run ends before its time.
CANCELLED = "The run was cancelled"
SETTINGS_CHANGED = "The settings have changed: a run with the new ones follows"
NO_MIRROR = "The repository is no longer in the state MIRROR"


class RunPhase(StrEnum):
    """What a run does: it compares all tags, copies those that differ, removes those that are gone, and has ended."""

    COMPARING = "comparing"
    COPYING = "copying"
    REMOVING = "removing"
    ENDED = "ended"


class RunCause(StrEnum):
    """Why a run began."""

    SCHEDULE = "schedule"
    REQUEST = "request"
    RETRY = "retry"
    # Only says what a run would do.
    PLAN = "plan"


class TagChange(StrEnum):
    """What a run does with a tag. `COMPLETE` looks for what is missing of one that did not change: its referrers."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    COMPLETE = "complete"

    @property
    def counted_as(self) -> str | None:
        """The count of a run that a tag with this change is in once it is done; None if it was counted before."""
        return {self.ADD: "added", self.CHANGE: "changed", self.REMOVE: "removed"}.get(self)


class TagOutcome(StrEnum):
    """How far a tag is. Skipped: an image that the architectures leave out. Planned: no run has been at it."""

    PLANNED = "planned"
    WAITING = "waiting"
    COPYING = "copying"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"

    @property
    def is_settled(self) -> bool:
        """Whether the run does nothing more with the tag."""
        return self in (TagOutcome.DONE, TagOutcome.SKIPPED, TagOutcome.FAILED)


@dataclass(frozen=True, slots=True)
class TagDifference:
    """A tag that upstream and the repository do not have alike; `digest` is upstream's, None where it is gone."""

    tag: str
    change: TagChange
    digest: Digest | None = None


def compare(upstream: Mapping[str, Digest], here: Mapping[str, Digest], *, completes: bool) -> list[TagDifference]:
    """Returns what to copy: `upstream` has tags that are mirrored, `here` those of the repository.

    With `completes`, tags that did not change are looked at as well.
    """
    found = []
    for tag, digest in upstream.items():
        if tag not in here:
            found.append(TagDifference(tag, TagChange.ADD, digest))
        elif here[tag] != digest:
            found.append(TagDifference(tag, TagChange.CHANGE, digest))
        elif completes:
            found.append(TagDifference(tag, TagChange.COMPLETE, digest))
    return found


def gone(here: Mapping[str, Digest], upstream: Set[str]) -> list[TagDifference]:
    """Returns the tags to remove, which upstream does not have any more. Signature tags go with their images.

    Nothing is removed where upstream has no tag that is mirrored: a mistake in a pattern would empty the repository.
    """
    if not upstream:
        return []
    return [
        TagDifference(tag, TagChange.REMOVE)
        for tag, digest in here.items()
        if tag not in upstream and not is_signature_tag(tag, digest)
    ]


def warning_of(names: list[str] | None, matched: Set[str], refused: int = 0) -> str:
    """Returns what a run warns of.

    `names` are the tags that the patterns name outright, None with a wildcard; `refused` is the number of names that
    upstream lists and that are no tags.
    """
    warnings = []
    if not matched:
        warnings.append("No tags matched: nothing was copied or removed")
    elif names is None and LATEST not in matched:
        warnings.append("No pattern names a tag outright, and latest is not among the tags that matched")
    if refused:
        warnings.append(f"Names that upstream lists and that are no tags: {refused}, which were left out")
    return ". ".join(warnings)


def status_of(failed: int) -> SyncStatus:
    """Returns how a run ends in which so many tags failed."""
    return SyncStatus.FAIL if failed else SyncStatus.SUCCESS
