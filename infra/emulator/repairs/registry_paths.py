"""`/v2/*` belongs to the deployed registry.

ministack's ECR answers `/v2/`, `*/blobs/*`, `*/manifests/*` and `*/tags/list` of every host, before it looks whether an
API or a distribution has that host.
"""

from typing import Any

from infra.emulator.repairs.private import demand


def repair(emulator: Any) -> None:
    """Takes the registry's paths from ECR."""
    demand(emulator, "_is_ecr_registry_path")
    emulator._is_ecr_registry_path = lambda _path: False  # noqa: SLF001
