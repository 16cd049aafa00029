"""What reaches the emulator over loopback counts as encrypted.

ministack tells policies that a request came without TLS, which is true; of AWS's own addresses it never is, and a
bucket that refuses plain HTTP would refuse its own functions.
"""

from typing import Any

from infra.emulator.repairs.private import demand


def repair(emulator: Any) -> None:
    """Answers `aws:SecureTransport` with true."""
    demand(emulator, "pin_request_origin")
    pin = emulator.pin_request_origin
    emulator.pin_request_origin = lambda address, _secure: pin(address, secure_transport=True)
