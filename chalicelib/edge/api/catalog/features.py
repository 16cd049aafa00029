"""`/config`: the features of Quay that are on, derived from the routes and settings of this installation."""

from typing import Any

from chalicelib import __version__
from chalicelib.domain.time_machine import OPTIONS
from chalicelib.edge.api.framework import declared, paths
from chalicelib.edge.api.framework.operations import TEXT, Operations, a_list, an_object
from chalicelib.settings import settings

operations = Operations(__name__, "config")

ON, OFF = True, False
# Quay's names of features; each is on, off, or on if the given route is declared.
FEATURES: dict[str, bool | str] = {
    "ACTION_LOG_ROTATION": OFF,
    "ADVERTISE_V2": ON,
    "AGGREGATED_LOG_COUNT_RETRIEVAL": "/api/v1/user/aggregatelogs",
    "ANONYMOUS_ACCESS": ON,
    "APP_REGISTRY": OFF,
    "APP_SPECIFIC_TOKENS": "/api/v1/user/apptoken",
    "ASSIGN_OAUTH_TOKEN": "/oauth/authorize/assignuser",
    "AUTO_PRUNE": paths.ORGANIZATION + "/autoprunepolicy",
    "BILLING": OFF,
    "BUILD_SUPPORT": OFF,
    "CHANGE_TAG_EXPIRATION": ON,
    "DIRECT_LOGIN": ON,
    "EDIT_QUOTA": "/api/v1/superuser/organization/{orgname}/quota",
    "EXPORT_ACTION_LOGS": "/api/v1/user/exportlogs",
    "EXTENDED_REPOSITORY_NAMES": ON,
    "GENERAL_OCI_SUPPORT": ON,
    "GITHUB_LOGIN": OFF,
    "GOOGLE_LOGIN": OFF,
    "HELM_OCI_SUPPORT": ON,
    "IMAGE_PULL_STATS": paths.REPOSITORY + "/tag/{tag}/pull_statistics",
    "IMMUTABLE_TAGS": paths.ORGANIZATION + "/immutabilitypolicy",
    "LIBRARY_SUPPORT": ON,
    "LOG_EXPORT": "/api/v1/user/exportlogs",
    "MAILING": OFF,
    "ORG_MIRROR": paths.ORGANIZATION + "/mirror",
    "PARTIAL_USER_AUTOCOMPLETE": "/api/v1/entities/{prefix}",
    "PERMANENTLY_DELETE_TAGS": paths.REPOSITORY + "/tag/{tag}/expire",
    "PROXY_CACHE": paths.ORGANIZATION + "/proxycache",
    "PROXY_STORAGE": OFF,
    "PUBLIC_CATALOG": ON,
    "QUOTA_MANAGEMENT": paths.ORGANIZATION + "/quota",
    "RECAPTCHA": OFF,
    "REPO_MIRROR": paths.REPOSITORY + "/mirror",
    "REQUIRE_ENCRYPTED_BASIC_AUTH": OFF,
    "REQUIRE_TEAM_INVITE": OFF,
    "SECURITY_SCANNER": paths.REPOSITORY + "/manifest/{manifestref}/security",
    "SIGNING": OFF,
    # Mirrors may choose architectures; whether pushes may be sparse, `registry/capabilities` says.
    "SPARSE_INDEX": paths.REPOSITORY + "/mirror",
    "STORAGE_REPLICATION": OFF,
    "SUPER_USERS": ON,
    "TEAM_SYNCING": OFF,
    "USER_INITIALIZE": "/api/v1/user/initialize",
    "USER_LAST_ACCESSED": ON,
    "USER_LOG_ACCESS": "/api/v1/user/logs",
    "USER_METADATA": ON,
    "USER_RENAME": OFF,
}
PARTS = {name: an_object() for name in ("config", "features", "oauth")}
CONFIG = an_object({**PARTS, "registry_state": TEXT, "external_login": a_list(an_object())})


@operations.get("/config", "getConfig", answers={200: CONFIG}, is_internal=True)
def config() -> dict[str, Any]:
    """Returns the settings and features that a web interface and scripts need."""
    config = settings()
    scheme, _, host = config.url.partition("://")
    return {
        "config": {
            "SERVER_HOSTNAME": host,
            "PREFERRED_URL_SCHEME": scheme,
            "REGISTRY_TITLE": "Cloudberth",
            "REGISTRY_TITLE_SHORT": "Cloudberth",
            "REGISTRY_STATE": "normal",
            "AUTHENTICATION_TYPE": "Database",
            "DEFAULT_TAG_EXPIRATION": "2w",
            "TAG_EXPIRATION_OPTIONS": list(OPTIONS),
            "FRESH_LOGIN_TIMEOUT": f"{config.fresh_s}s",
            "EXTERNAL_TLS_TERMINATION": True,
        },
        "features": features(),
        "oauth": {},
        "external_login": [],
        "registry_state": "normal",
        "account_recovery_mode": False,
        "version_number": __version__,
    }


def features() -> dict[str, bool]:
    """Returns whether each of Quay's features is on, by its name."""
    routed = declared.paths()
    states = {
        name: declared.unnamed(route) in routed if isinstance(route, str) else route for name, route in FEATURES.items()
    }
    config = settings()
    return {
        **states,
        "INVITE_ONLY_USER_CREATION": config.sign_up == "invited",
        "SUPERUSERS_FULL_ACCESS": config.superusers_full_access,
        "USER_CREATION": config.sign_up != "closed",
    }
