"""Runs are shown to administrators, page by page."""

import pytest

from chalicelib.domain.errors import Denied, ResourceUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.services.mirroring import run_reader
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.upstream import Upstream

NAME = RepositoryName.parse("admin/app")


def test_the_tags_of_a_run_come_in_pages(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_reader, "PAGE", 2)
    upstream.add_image("a", "b", "c")
    run = runner.sync(a_mirror_of(upstream, runner.backend))
    reader, actor = runner.backend.services.mirroring.run_reader, runner.backend.signed_in("admin")

    first = reader.get(actor, NAME, run.id)
    second = reader.get(actor, NAME, run.id, first.following)

    assert [tag.tag for page in (first, second) for tag in page.tags] == ["a", "b", "c"]
    assert second.following is None
    assert [one.id for one in reader.latest(actor, NAME)] == [run.id]


@pytest.mark.parametrize("run", ["", "nonsense", "01J00000000000000000000000"])
def test_an_unknown_run_is_told(upstream: Upstream, runner: MirrorRunner, run: str) -> None:
    a_mirror_of(upstream, runner.backend)
    with pytest.raises(ResourceUnknown):
        runner.backend.services.mirroring.run_reader.get(runner.backend.signed_in("admin"), NAME, run)


def test_strangers_see_no_runs(upstream: Upstream, runner: MirrorRunner) -> None:
    a_mirror_of(upstream, runner.backend)
    runner.backend.user("bob")
    with pytest.raises(Denied):
        runner.backend.services.mirroring.run_reader.latest(runner.backend.signed_in("bob"), NAME)
