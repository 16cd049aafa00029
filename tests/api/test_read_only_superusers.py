"""Read-only superusers, over all operations: in one that reads they have a superuser's rights, in another a user's.

What others may is in `rights.txt`. A new operation is covered by its row there.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from chalicelib.domain.accounts import ROBOT_TOKEN_PREFIX, AccountRole
from chalicelib.edge.api.framework.operations import Operation
from tests.api.examples import ask, misfit
from tests.api.populated_registry import PopulatedRegistry
from tests.api.recipes import ENDS_ONESELF
from tests.api.test_rights import HEADINGS, OPERATIONS, TABLE
from tests.support.api_client import ApiClient
from tests.support.app_client import Answer, opened
from tests.support.backends import Backend

# The user who becomes a read-only superuser; the column of a user without rights in `rights.txt` is theirs, too.
AUDITOR = "stranger"
# Paths of what belongs to the caller.
MINE = "/api/v1/user/"
WRITES = [name for name, one in OPERATIONS.items() if not one.is_reading and name not in ENDS_ONESELF]
READS = [name for name, one in OPERATIONS.items() if one.is_reading]


@pytest.fixture(scope="module", params=[False, True], ids=["", "full access"])
def audited(request: pytest.FixtureRequest, aws: tuple[Mapping[str, str], Path]) -> Iterator[PopulatedRegistry]:
    """A populated registry in which the stranger is a read-only superuser, without and with full access."""
    environment, data = aws
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        backend = Backend(environment, data, superusers_full_access=request.param)
        with opened(backend, patch) as app_client:
            populated = PopulatedRegistry(app_client)
            admin, superusers = populated.actor("admin"), backend.services.accounts.superusers
            superusers.change_role(admin, AUDITOR, AccountRole.READ_ONLY_SUPERUSER)
            yield populated


@pytest.fixture(scope="module")
def auditor(audited: PopulatedRegistry) -> ApiClient:
    """Returns the browser of the read-only superuser."""
    return audited.session(AUDITOR)


def asked(operation: Operation, audited: PopulatedRegistry, auditor: ApiClient) -> Answer:
    """Asks as the read-only superuser, in a new session, since a sign-out or a sign-in ends the last one."""
    session = audited.session(AUDITOR) if operation.tag == "user" and not operation.is_safe else auditor
    return ask(operation, session, audited, AUDITOR)


def status_of(name: str, heading: str) -> int:
    return TABLE[name][HEADINGS.index(heading)]


@pytest.mark.parametrize("name", WRITES)
def test_a_read_only_superuser_writes_nothing_that_other_users_do_not(
    name: str, audited: PopulatedRegistry, auditor: ApiClient
) -> None:
    answer = asked(OPERATIONS[name], audited, auditor)

    assert answer.status == status_of(name, "stranger"), answer.body[:300]
    assert misfit(OPERATIONS[name], answer) == ""


@pytest.mark.parametrize("name", READS)
def test_a_read_only_superuser_reads_what_superusers_read_and_with_full_access_all(
    name: str, audited: PopulatedRegistry, auditor: ApiClient
) -> None:
    operation = OPERATIONS[name]
    answer = asked(operation, audited, auditor)

    own, superusers, owners = (status_of(name, heading) for heading in ("stranger", "superuser", "owner"))
    has_all, is_mine = audited.backend.settings.superusers_full_access, operation.path.startswith(MINE)
    expected = [own] if is_mine else [superusers, *([owners] if has_all else [])]
    passed = [status for status in expected if status < 400]
    # Without full access they read the settings of organizations, but not their repositories.
    assert answer.status in (passed or [own, owners]), answer.body[:300]
    assert misfit(operation, answer) == ""
    assert ROBOT_TOKEN_PREFIX.encode() not in answer.body or is_mine


def test_every_write_that_only_superusers_may_is_refused() -> None:
    only = [name for name in WRITES if status_of(name, "stranger") == 403 and status_of(name, "superuser") < 400]

    assert {"createInstallUser", "changeUserRole", "deleteOrganization", "createGlobalMessage"} <= set(only)
    assert len(only) >= 18
