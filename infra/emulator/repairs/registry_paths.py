"""The deployed registry serves `/v2/*` of its own host.

ministack's ECR answers `/v2/`, `*/blobs/*`, `*/manifests/*` and `*/tags/list` on every host, before ministack checks
whether an API or a distribution has that host. No upstream report is known as of 1.5.33.
"""

from typing import Any

from infra.emulator.repairs.private import demand


def repair(emulator: Any) -> None:
    """Stops ECR from answering the paths of a registry."""
    demand(emulator, "_is_ecr_registry_path")
    emulator._is_ecr_registry_path = lambda _path: False  # noqa: SLF001
