"""Requests over loopback count as encrypted.

ministack reports to policies that a request came without TLS. That is true, but functions on AWS always use TLS, so a
bucket that refuses plain HTTP would refuse the deployment's own functions. ministack is right here: only TLS between
it and every client (its setting USE_SSL) would make the repair superfluous. No upstream report is known as of 1.5.33.
"""

from typing import Any

from infra.emulator.repairs.private import demand


def repair(emulator: Any) -> None:
    """Sets `aws:SecureTransport` to true for every request."""
    demand(emulator, "pin_request_origin")
    pin = emulator.pin_request_origin
    emulator.pin_request_origin = lambda address, _secure: pin(address, secure_transport=True)
