"""`/v2/_catalog`."""

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Visibility
from tests.support.app_client import AppClient
from tests.support.builders import a_repository, token_actor


def test_a_request_without_a_token_is_challenged(app_client: AppClient) -> None:
    answer = app_client.ask("GET", "/v2/_catalog")

    assert answer.status == 401
    assert 'scope="registry:catalog:*"' in answer.headers["www-authenticate"]


def test_pages_link_to_each_other_to_the_end(app_client: AppClient) -> None:
    names = [f"admin/app{number}" for number in range(5)]
    for name in names:
        a_repository(app_client.backend, name)
    token, target, pages = app_client.token(), "/v2/_catalog?n=2", []
    while target:
        answer = app_client.ask("GET", target, token)
        pages.append(answer.json()["repositories"])
        link = answer.headers.get("link", "")
        assert not link or link.endswith('>; rel="next"')
        target = link[1:].partition(">")[0]

    assert pages == [names[:2], names[2:4], names[4:]]


def test_anonymous_callers_see_public_repositories(app_client: AppClient) -> None:
    for name in ("admin/private", "admin/public"):
        a_repository(app_client.backend, name)
    public = RepositoryName.parse("admin/public")
    app_client.backend.services.registry.repositories.change_visibility(
        token_actor(app_client.backend, "admin", "admin/public"), public, Visibility.PUBLIC
    )

    assert app_client.ask("GET", "/v2/_catalog", app_client.token(name="")).json() == {"repositories": ["admin/public"]}


def test_n_of_0_is_an_empty_list_without_a_link(app_client: AppClient) -> None:
    a_repository(app_client.backend)
    answer = app_client.ask("GET", "/v2/_catalog?n=0", app_client.token())

    assert answer.json() == {"repositories": []}
    assert "link" not in answer.headers


def test_any_value_of_last_is_accepted_as_a_start(app_client: AppClient) -> None:
    a_repository(app_client.backend)
    token = app_client.token()
    for last in ("", "admin/app", "zzz", "%00", "caf%C3%A9", "%F0%9F%98%80", "a" * 9000, "{}", "%22%3E"):
        answer = app_client.ask("GET", f"/v2/_catalog?last={last}", token)

        assert (last, answer.status) == (last, 200)
        assert set(answer.json()["repositories"]) <= {"admin/app"}


def test_an_invalid_n_is_refused(app_client: AppClient) -> None:
    token = app_client.token()
    for size in ("-1", "x", "", "1.5", "%D9%A1"):
        answer = app_client.ask("GET", f"/v2/_catalog?n={size}", token)

        assert (size, answer.status, answer.code) == (size, 400, "UNSUPPORTED")
