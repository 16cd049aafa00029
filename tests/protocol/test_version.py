from __future__ import annotations

import re

from tests.protocol.content import an_image
from tests.protocol.registry import Registry, Repository, assert_refused

WARNING = re.compile(r'299 - "[^"]*"')


def test_the_version_check_with_a_token_answers_200(registry: Registry) -> None:
    answer = registry.send("GET", "/v2/", headers=registry.authorization())

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"


def test_the_version_check_without_a_token_answers_a_challenge(stranger: Registry) -> None:
    answer = stranger.send("GET", "/v2/")

    assert_refused(answer, 401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_the_version_check_works_without_the_last_slash(registry: Registry) -> None:
    assert registry.send("GET", "/v2", headers=registry.authorization()).status_code == 200


def test_the_version_check_answers_head_without_a_body(registry: Registry) -> None:
    answer = registry.send("HEAD", "/v2/", headers=registry.authorization())

    assert (answer.status_code, answer.content) == (200, b"")


def test_an_unknown_path_is_refused_with_the_specifications_code(repository: Repository) -> None:
    assert_refused(repository.send("GET", "nothing/of/the/kind"), 404)


def test_an_unknown_method_is_refused_as_unsupported(repository: Repository) -> None:
    assert_refused(repository.send("PATCH", "tags/list"), 405, "UNSUPPORTED")


def test_warnings_have_the_specifications_form_and_size(repository: Repository) -> None:
    """A warning has the code 299, the agent `-`, no date and, with all others, at most 4096 bytes."""
    pushed = repository.push_image(an_image(), "latest")
    answers = [pushed, repository.get_manifest("latest"), repository.tags(), repository.get_manifest("absent")]

    for answer in answers:
        warning = answer.headers.get("Warning", "")
        assert len(warning.encode()) <= 4096
        assert not warning or all(WARNING.fullmatch(part.strip()) for part in warning.split(", "))
