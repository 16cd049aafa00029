"""`python3 infra/local/bootstrap.py MODE` makes .venv if it is missing or old, then runs MODE in it.

It uses only the standard library. Old Pythons can read this file, so that it can name the version that they lack; they
could not compile `installation`, which is therefore a file of its own.
"""

import os
import sys

# An older Python must get this far to print the sentence; no other file needs such a check.
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

# Python puts this file's directory first on the path; the project's root takes its place.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from infra.local.installation import main  # noqa: E402  (after the checks above)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
