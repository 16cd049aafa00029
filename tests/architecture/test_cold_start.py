"""A cold start imports what a pull and the push of a manifest need, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Whoever adds one makes every pull's cold start longer: import it in its property of chalicelib/wiring instead.
SERVICES = {
    "security.access",
    "security.credentials",
    "security.es256",
    "security.passwords",
    "security.patterns",
    "security.sealing",
    "security.signing",
    "security.throttles",
    "security.write_access",
    "activity.lookups",
    "activity.usage_log",
    "accounts.quotas",
    "identity.authentication",
    "identity.tokens",
    "registry.blobs",
    "registry.body_cache",
    "registry.direct_uploads",
    "registry.expiry_labels",
    "registry.manifest_keepers",
    "registry.manifest_leases",
    "registry.manifest_sizes",
    "registry.manifests",
    "registry.named_contents",
    "registry.tagged_indexes",
    "registry.repositories",
    "registry.tag_changes",
    "registry.tags",
}
LATE = (
    "authlib",
    "cryptography.x509",
    "fastjsonschema",
    "joserfc",
    "re2",
    "requests",
    "chalicelib.edge.api.concepts",
    "chalicelib.edge.oauth",
)


def loaded() -> list[str]:
    command = [sys.executable, "-c", "import app, json, sys; print(json.dumps(sorted(sys.modules)))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    names: list[str] = json.loads(done.stdout)
    return names


def test_the_app_imports_the_services_of_a_pull_only() -> None:
    names = loaded()

    services = {name.removeprefix("chalicelib.services.") for name in names if name.startswith("chalicelib.services.")}
    assert {name for name in services if "." in name} == SERVICES
    assert [name for name in names if name in LATE] == []
