"""A test of the settings reaches upstream, and stores nothing but a record."""

import pytest

from chalicelib.domain.errors import OutgoingRefused, ResourceUnknown
from chalicelib.domain.errors.upstreams import UpstreamUnreachable
from chalicelib.domain.names import RepositoryName
from chalicelib.services.mirroring import probes
from tests.support.builders import a_repository
from tests.support.mirror_builders import changes
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.rows import events
from tests.support.upstream import Upstream, dripping, on

NAME = RepositoryName.parse("admin/app")


def test_the_first_matching_tags_are_shown(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image(*(f"v{number:02d}" for number in range(12)), "other")
    a_mirror_of(upstream, runner.backend, ("v*",))
    actor = runner.backend.signed_in("admin")

    probe = runner.backend.services.mirroring.probes.test(actor, NAME, changes())
    assert (probe.tags, probe.more) == (tuple(f"v{number:02d}" for number in range(10)), True)
    named = runner.backend.services.mirroring.probes.test(actor, NAME, changes(patterns=("other", "missing")))
    assert (named.tags, named.more) == (("other",), False)
    assert [event["kind"] for event in events(runner.backend) if "test" in event["kind"]] == [
        "repo_mirror_sync_test_success"
    ] * 2


def test_settings_are_tried_before_there_is_a_mirror(upstream: Upstream, runner: MirrorRunner) -> None:
    a_repository(runner.backend)
    actor, upstream_source = runner.backend.signed_in("admin"), {"reference": upstream.reference, "verify_tls": False}
    upstream.add_image("v1")
    assert runner.backend.services.mirroring.probes.test(actor, NAME, changes(source=upstream_source)).tags == ("v1",)
    with pytest.raises(ResourceUnknown):
        runner.backend.services.mirroring.probes.test(actor, NAME, changes())


def test_our_own_network_is_not_reached(runner: MirrorRunner) -> None:
    a_repository(runner.backend)
    source = {"reference": "169.254.169.254/latest/meta-data"}
    with pytest.raises(OutgoingRefused):
        runner.backend.services.mirroring.probes.test(runner.backend.signed_in("admin"), NAME, changes(source=source))


def test_an_upstream_that_takes_too_long_is_given_up(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "LIMIT_S", 0.3)
    upstream.fault = on("tags/list", dripping(0.05))
    a_mirror_of(upstream, runner.backend)
    with pytest.raises(UpstreamUnreachable, match="no answer within"):
        runner.backend.services.mirroring.probes.test(runner.backend.signed_in("admin"), NAME, changes())
