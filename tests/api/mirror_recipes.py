"""What operations of mirrors need to succeed: the places in their paths, and the fields of their bodies."""

from collections.abc import Callable

from tests.api.populated_registry import PopulatedRegistry

OF_A_MIRROR = (
    "changeRepoMirrorConfig deleteRepoMirrorConfig getRepoMirrorConfig listRepoMirrorRuns planRepoMirror syncNow"
    " testRepoMirror"
)
OF_AN_ORGANIZATIONS_MIRROR = (
    "cancelOrgMirrorSync deleteOrgMirrorConfig getOrgMirrorConfig listOrgMirrorRepositories syncOrgMirrorNow"
    " updateOrgMirrorConfig verifyOrgMirrorConnection"
)
OF_A_CACHE = "deleteProxyCacheConfig getProxyCacheConfig"
PLACES: dict[str, Callable[[PopulatedRegistry, str], dict[str, str]]] = {
    **dict.fromkeys(OF_A_MIRROR.split(), lambda populated, _: populated.mirror()),
    **dict.fromkeys(OF_AN_ORGANIZATIONS_MIRROR.split(), lambda populated, _: populated.organization_mirror()),
    **dict.fromkeys(("getRepoMirrorRun", "syncCancel"), lambda populated, _: populated.mirror_run()),
    **dict.fromkeys(OF_A_CACHE.split(), lambda populated, _: populated.proxy_cache()),
    **dict.fromkeys(
        ("createOrgMirrorConfig", "createProxyCacheConfig", "validateProxyCacheConfig"),
        lambda populated, _: populated.organization_for_a_mirror(),
    ),
}
BODIES: dict[str, Callable[[PopulatedRegistry], dict[str, object]]] = {
    "createOrgMirrorConfig": lambda populated: populated.organization_mirror_fields(),
    "createProxyCacheConfig": lambda _: {"upstream_registry": "quay.invalid"},
    "createRepoMirrorConfig": lambda populated: populated.mirror_fields(),
    "updateOrgMirrorConfig": lambda populated: populated.organization_mirror_fields(),
    "validateProxyCacheConfig": lambda _: {"upstream_registry": "quay.invalid"},
}
