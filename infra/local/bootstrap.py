"""`python3 infra/local/bootstrap.py MODE`: makes .venv when it is missing or old, then runs MODE in it.

Standard library only. This file is read by any Python, old ones too, so that they can be told what is missing.
"""

import os
import sys

# Any older Python must get this far to be told; the rest of the house needs no such check.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "Cloudberth needs Python 3.11 or newer and this is "
        + sys.version.split()[0]
        + " ("
        + str(sys.executable)
        + "); name a newer one, as in: make run PYTHON=python3.12"
    )
if os.name != "posix":
    sys.exit("Cloudberth's local stack runs on Linux and macOS; on Windows, run it inside WSL 2.")

# This file's own directory came first; the house's root takes its place.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from infra.local.installation import main  # noqa: E402  (after the checks above)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
