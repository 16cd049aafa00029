"""Quay's paths that are not served, or only in part: each says so, and none is taken for a repository's name.

A path that gets served needs no change here, as what is declared comes first; a test names the lines to remove then.
"""

from chalicelib.edge.api.framework.paths import MANIFEST, ORGANIZATION, REPOSITORY

USER, TRIGGER, BUILD = "/api/v1/user", REPOSITORY + "/trigger/{trigger_uuid}", REPOSITORY + "/build/{build_uuid}"
PATHS = {
    "notifications": [
        *(f"{REPOSITORY}/notification{rest}" for rest in ("", "/{uuid}", "/{uuid}/test")),
        *(f"{ORGANIZATION}/notifications{rest}" for rest in ("", "/{uuid}", "/{uuid}/test")),
        *(f"{USER}/namespacenotifications{rest}" for rest in ("", "/{uuid}", "/{uuid}/test")),
        REPOSITORY + "/authorizedemail/{email}",
    ],
    "security scans": [MANIFEST + "/security", REPOSITORY + "/image/{imageid}/security"],
    "builds": [
        REPOSITORY + "/build",
        *(f"{BUILD}{rest}" for rest in ("", "/status", "/logs")),
        *(f"{TRIGGER}{rest}" for rest in ("", "/subdir", "/activate", "/analyze", "/start", "/builds", "/sources")),
        *(f"{TRIGGER}{rest}" for rest in ("/namespaces", "/fields/{field_name}")),
        "/api/v1/filedrop",
    ],
    "Docker Content Trust": [REPOSITORY + "/changetrust", REPOSITORY + "/signatures"],
    "access tokens of repositories": [REPOSITORY + "/tokens", REPOSITORY + "/tokens/{code}"],
}
UNSERVED = {path: feature for feature, paths in PATHS.items() for path in paths}
