"""The command that starts ministack, which keeps the local stack's tables and is the emulated AWS of infra/emulator."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.environment import LOOPBACK, REGION, ROOT
from infra.local.processes import Program

ENTRY = ROOT / "infra" / "emulator" / "__main__.py"
HEALTH = "/_ministack/health"


def program(
    python: Path, port: int, directory: Path, options: Sequence[str], settings: Mapping[str, str], *inherited: int
) -> Program:
    """Returns the program of a ministack on a port of loopback, with `options` of infra/emulator/__main__.py.

    Its environment has `settings` and nothing of the operator's, since ministack passes it on to every function.
    """
    environment = {
        "PATH": os.defpath,
        "HOME": str(directory),
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "1",
        # Otherwise ministack listens for MQTT on every address.
        "IOT_MTLS_ENABLED": "0",
        # Otherwise ministack removes containers of another ministack from the machine's docker.
        "DOCKER_HOST": f"unix://{directory}/no-docker",
        **settings,
    }
    return Program("ministack", (str(python), str(ENTRY), *options), environment, directory, inherited)
