"""`/v2/<name>/tags/list`."""

from tests.support.app_client import AppClient
from tests.support.builders import a_manifest, push_image, push_manifest

PATH = "/v2/admin/app/tags/list"


def test_tags_are_listed_with_the_name_in_byte_order(app_client: AppClient) -> None:
    push_manifest(app_client.backend, a_manifest(), "b", "a", "B", "10", "9", "_")
    answer = app_client.ask("GET", PATH, app_client.token("admin/app"))

    assert answer.json() == {"name": "admin/app", "tags": ["10", "9", "B", "_", "a", "b"]}
    assert "link" not in answer.headers


def test_pages_link_to_each_other_to_the_end(app_client: AppClient) -> None:
    push_manifest(app_client.backend, a_manifest(), *"abcde")
    token, target, pages = app_client.token("admin/app"), f"{PATH}?n=2", []
    while target:
        answer = app_client.ask("GET", target, token)
        pages.append(answer.json()["tags"])
        link = answer.headers.get("link", "")
        assert not link or link.endswith('>; rel="next"')
        target = link[1:].partition(">")[0]

    assert pages == [["a", "b"], ["c", "d"], ["e"]]


def test_a_page_of_exactly_all_tags_has_no_link(app_client: AppClient) -> None:
    push_manifest(app_client.backend, a_manifest(), *"ab")

    assert "link" not in app_client.ask("GET", f"{PATH}?n=2", app_client.token("admin/app")).headers


def test_n_of_0_is_an_empty_list_without_a_link(app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    answer = app_client.ask("GET", f"{PATH}?n=0", app_client.token("admin/app"))

    assert answer.json()["tags"] == []
    assert "link" not in answer.headers


def test_a_repository_without_tags_lists_none(app_client: AppClient) -> None:
    push_image(app_client.backend)

    assert app_client.ask("GET", PATH, app_client.token("admin/app")).json()["tags"] == []


def test_an_invalid_page_is_refused(app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    token = app_client.token("admin/app")
    for query in ("n=-1", "n=x", "n=", "last=.a", "last=a%20b", "last=%00", "last=" + "t" * 129):
        assert (query, app_client.ask("GET", f"{PATH}?{query}", token).status) == (query, 400)


def test_the_tags_of_an_unknown_repository_are_404(app_client: AppClient) -> None:
    answer = app_client.ask("GET", PATH, app_client.token("admin/app"))

    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


def test_a_caller_who_may_not_pull_is_refused(app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    app_client.backend.user("bob")
    for token in ({}, app_client.token("admin/app", name="bob"), app_client.token("admin/other")):
        assert app_client.ask("GET", PATH, token).status in (401, 403)


def test_an_escaped_slash_is_a_slash_and_one_that_is_escaped_twice_is_none(app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    token = app_client.token("admin/app")
    twice = app_client.ask("GET", PATH.replace("admin/", "admin%252F"), token)

    assert app_client.ask("GET", PATH.replace("admin/", "admin%2F"), token).json()["tags"] == ["v1"]
    assert (twice.status, twice.code) == (400, "NAME_INVALID")
