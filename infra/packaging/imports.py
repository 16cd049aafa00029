"""Measures most of a cold start: importing the app from an unpacked package and making a client."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

from infra.packaging.errors import PackageError

ROUNDS = 5
# It has one core, as a function of 1,769 MB has, and imports only from the package and the standard library.
IMPORT = """
import json, os, sys, time
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
sys.path.insert(0, sys.argv[1])
marks = [(time.process_time(), time.perf_counter())]
import app
marks.append((time.process_time(), time.perf_counter()))
assert callable(app.app)
from botocore.session import get_session
get_session().create_client("dynamodb", region_name="us-east-1")
marks.append((time.process_time(), time.perf_counter()))
print(json.dumps(marks))
"""


@dataclass(frozen=True, slots=True)
class ImportTime:
    """Seconds of CPU and of the clock. CPU seconds vary less on a busy machine; on an idle one both agree."""

    import_cpu_s: float
    import_s: float
    client_cpu_s: float

    @classmethod
    def of(cls, python: Path, tree: Path) -> Self:
        """Measures a start in a new process that writes no bytecode, as on Lambda. Raises PackageError."""
        command = [str(python), "-ISB", "-c", IMPORT, str(tree)]
        done = subprocess.run(command, capture_output=True, text=True, env={}, cwd=tree, check=False)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["it printed nothing"]
            raise PackageError(f"The package does not start: {lines[-1]}.")
        begun, imported, ready = json.loads(done.stdout)
        return cls(imported[0] - begun[0], imported[1] - begun[1], ready[0] - imported[0])

    @classmethod
    def median(cls, starts: Sequence[Self]) -> Self:
        """Returns the median of each duration."""
        return cls(
            median(start.import_cpu_s for start in starts),
            median(start.import_s for start in starts),
            median(start.client_cpu_s for start in starts),
        )
