"""What a push, a tag or a deletion means for how long a manifest is kept. Times are in seconds since the epoch."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Retained:
    """When a manifest was first pushed, and what keeps it.

    `live_until` is the latest end of its tags, None while it has none; `leased_until` the end of its lease; and
    `deleted_at` when it was deleted by digest, since when readers do not see it.
    """

    pushed_at: int
    live_until: int | None = None
    leased_until: int | None = None
    deleted_at: int | None = None


def after_push(stored: Retained | None, now: int, tag_end: int | None, lease_end: int) -> Retained:
    """Returns what keeps a manifest after a push with tags that end at `tag_end`, or, with None, without a tag.

    An untagged push gives a lease. A tagged push leaves the lease that somebody else was given.
    """
    kept = Retained(now) if stored is None else replace(stored, deleted_at=None)
    if tag_end is None:
        return replace(kept, leased_until=lease_end)
    return replace(kept, live_until=max(kept.live_until or 0, tag_end))


def after_tag(stored: Retained, live_until: int | None) -> Retained:
    """Returns what keeps a manifest once a tag is pointed to it: it is not deleted any more."""
    return replace(stored, live_until=live_until, deleted_at=None)


def after_deletion(stored: Retained, now: int) -> Retained:
    """Returns what keeps a deleted manifest: the Time Machine's window, which begins now or began with its last tag."""
    ended_at = now if stored.live_until is None else min(stored.live_until, now)
    return replace(stored, live_until=ended_at, leased_until=now, deleted_at=now)


def is_retained(stored: Retained, now: int, window_s: int) -> bool:
    """Whether a tag, the Time Machine's window of so many seconds over one, or a lease keeps a manifest."""
    is_in_window = stored.live_until is not None and stored.live_until + window_s > now
    return is_in_window or (stored.leased_until or 0) > now
