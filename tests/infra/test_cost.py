"""docs/cost.md is what counted calls and list prices say, and the counts are those of the code."""

from collections.abc import Iterator

import pytest

from chalicelib.domain.names import Tag
from chalicelib.domain.timers import PULLS
from chalicelib.services.lifecycle.timers import Timers
from chalicelib.storage.timers import TimerStore
from infra.cost import model, page
from infra.cost.model import BLOBS, Load
from tests.support.app_client import AppClient, basic, opened
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_config, a_manifest
from tests.support.units import Units, counted_units

README = page.PAGE.parents[1] / "README.md"
LONG = 60.0
HOUR_S = 3600


@pytest.fixture
def client(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppClient]:
    with opened(backend, monkeypatch) as client:
        yield client


def pull(client: AppClient, reference: str, digests: list[str]) -> int:
    """Pulls an image as containerd does; returns the number of requests."""
    assert client.ask("GET", "/v2/").status == 401
    scope = "service=registry.test&scope=repository:admin/app:pull"
    answer = client.ask("GET", f"/v2/auth?{scope}", basic("admin", "password"))
    header = {"Authorization": f"Bearer {answer.json()['token']}"}
    found = client.ask("HEAD", f"/v2/admin/app/manifests/{reference}", header)
    digest = found.headers["docker-content-digest"]
    assert client.ask("GET", f"/v2/admin/app/manifests/{digest}", header).status == 200
    assert [client.ask("GET", f"/v2/admin/app/blobs/{blob}", header).status for blob in digests] == [307] * BLOBS
    return 4 + len(digests)


def an_image(backend: Backend) -> list[str]:
    """Pushes an image with four layers as `v1`; returns the digests of its blobs."""
    layers, config = [a_blob(backend) for _ in range(BLOBS - 1)], a_blob(backend, a_config())
    actor, name = backend.owner()
    backend.services.registry.manifests.push(actor, name, a_manifest(layers, config), [Tag("v1")])
    return [str(digest) for digest in (config, *layers)]


def counted(units: Units, requests: int = 0, but: tuple[float, int] = (0.0, 0)) -> dict[str, float]:
    read, write = units.take()
    return {"requests": requests, "read_units": read - but[0], "write_units": write - but[1]}


def test_the_counts_are_those_of_the_code(backend: Backend, client: AppClient) -> None:
    blobs = an_image(backend)
    with counted_units() as units:
        assert backend.services.lifecycle.timers.run(lambda: LONG).is_idle
        turn = counted(units)
        pull(client, "v1", blobs)
        first = units.take()
        requests = pull(client, "v1", blobs)
        again = counted(units, requests)
        record = {
            "requests": 0,
            "read_units": first[0] - again["read_units"],
            "write_units": first[1] - again["write_units"],
        }
        backend.clock.ahead_s += 2 * HOUR_S
        counting = Timers(TimerStore(), {PULLS: backend.services.activity.pulls.work}, backend.clock)
        assert counting.run(lambda: LONG).done == 1
        hour = counted(units, but=(turn["read_units"], 0))

    found = {"turn": turn, "pull": again, "record": record, "hour": hour}
    assert found == {name: model.calls()[name] for name in found}


def test_an_idle_installation_with_everything_of_the_default_costs_less_than_a_dollar_a_month() -> None:
    assert 0.4 < model.cost(model.default(Load())) < 1


def test_the_document_is_what_the_script_writes() -> None:
    assert page.PAGE.read_text("utf-8") == page.document(), "run `python -m infra.cost`"


def test_readme_repeats_the_figure() -> None:
    assert page.figure() in README.read_text("utf-8"), f"README.md must say: {page.figure()}"


def test_every_price_is_used_and_says_where_it_is_from() -> None:
    load = Load(20_000_000, 1.0)
    used = {name for usage in [*model.options(load).values(), model.default(load)] for name in usage}
    used |= {name for usage in model.others(Load(1, 1)).values() for name in usage or {}}

    assert used | page.QUOTED == set(model.prices())
    assert all(price.at.startswith("https://aws.amazon.com/") for price in model.prices().values())
