"""A test of the settings lists a page of repositories, and makes none."""

import pytest

from chalicelib.services.mirroring import organization_probes
from chalicelib.services.mirroring.organization_probes import OrganizationProbe
from tests.support.fake_server import respond
from tests.support.mirror_runs import MirrorRunner
from tests.support.namespaces import UpstreamNamespace, an_organization_mirror, statuses
from tests.support.upstream import dripping, on


def verify(runner: MirrorRunner) -> OrganizationProbe:
    probes = runner.backend.services.mirroring.organization_probes
    answer: OrganizationProbe = probes.verify(runner.backend.signed_in("admin"), "acme")
    return answer


def test_a_registry_that_lists_its_repositories_is_a_success(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    an_organization_mirror(namespace, runner.backend, filters=("a",))
    probe = verify(runner)
    assert (probe.is_success, probe.message) == (
        True,
        "Connection successful: 1 of the first 2 repositories match repository_filters",
    )
    assert statuses(runner.backend) == {}


def test_a_failure_says_which_field_may_mend_it(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    an_organization_mirror(namespace, runner.backend)
    namespace.fault = on("/api/", lambda handler: respond(handler, b"", 404))
    probe = verify(runner)
    assert not probe.is_success
    assert probe.message.startswith("external_namespace: ")


def test_a_registry_that_takes_too_long_is_given_up(
    namespace: UpstreamNamespace, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(organization_probes, "LIMIT_S", 0.3)
    an_organization_mirror(namespace, runner.backend)
    namespace.fault = on("/api/", dripping(0.05))
    assert "no answer within" in verify(runner).message
