"""The registry's size, counted a page of namespaces at a time."""

from chalicelib.domain.accounts import AccountKind
from chalicelib.storage.accounts.registry_size import RegistrySizeStore
from tests.support.backends import Backend
from tests.support.builders import a_blob


def test_a_page_adds_up_the_bytes_that_its_namespaces_link(backend: Backend) -> None:
    store = RegistrySizeStore(backend.services.stores.accounts)
    for name in ("bob", "carol"):
        backend.user(name)
        a_blob(backend, name.encode() * 10, f"{name}/app")

    assert store.page(AccountKind.USER, "", 2) == (30, "bob")
    assert store.page(AccountKind.USER, "bob", 2) == (50, "carol")
    assert store.page(AccountKind.USER, "carol", 2) == store.page(AccountKind.ORGANIZATION, "", 2) == (0, None)


def test_the_count_is_stored(backend: Backend) -> None:
    store = RegistrySizeStore(backend.services.stores.accounts)
    row = store.get()
    assert (row.bytes, row.counted_at, row.kind) == (0, None, None)

    row.bytes = 7
    store.put(row)

    assert store.get().bytes == 7
