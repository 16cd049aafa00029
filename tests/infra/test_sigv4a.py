"""Signatures 4A agree with those of awscrt."""

from typing import Any

import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from infra.sigv4a import SigV4A, signing_key

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token")
HOST = "https://123456789012.cloudfront-kvs.global.api.aws"
PATH = "/key-value-stores/arn%3Aaws%3Acloudfront%3A%3A123456789012%3Akey-value-store%2F01234567"
# The signature that awscrt 0.38.0 made for `request` at TIME.
TIME = "20300102T030405Z"
SIGNATURE = (
    "3046022100aaae68f4417fd26dbae895ee539762dd3bbfcb4e41bf97b96b9f27a01c7043a9"
    "02210084db6cea7736f5b3a7bbcc3b8f9e393076a213d2e5dd91532b6e08bcf85acfbe"
)


def request(body: bytes = b'{"Puts":[]}') -> Any:
    headers = {"If-Match": "E1", "Content-Type": "application/json"}
    return AWSRequest("POST", HOST + PATH, headers=headers, data=body)


def verify(signature: str, signed: Any) -> None:
    auth = SigV4A(KEYS, "cloudfront-keyvaluestore", "*")
    text = auth.string_to_sign(signed, auth.canonical_request(signed))
    key = signing_key(KEYS.access_key, KEYS.secret_key).public_key()
    key.verify(bytes.fromhex(signature), text.encode(), ECDSA(SHA256()))


def as_signed_by_awscrt(signed: Any) -> Any:
    signed.context["timestamp"] = TIME
    signed.headers["X-Amz-Date"] = TIME
    signed.headers["X-Amz-Security-Token"] = "token"
    signed.headers["X-Amz-Region-Set"] = "*"
    return signed


def test_a_pair_of_keys_gives_the_private_key_that_aws_publishes_for_it() -> None:
    numbers = (
        signing_key("AKISORANDOMAASORANDOM", "q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom").public_key().public_numbers()
    )

    assert numbers.x == 0x15D242CEEBF8D8169FD6A8B5A746C41140414C3B07579038DA06AF89190FFFCB
    assert numbers.y == 0x0515242CEDD82E94799482E4C0514B505AFCCF2C0C98D6A553BF539F424C5EC0


def test_a_signature_of_awscrt_is_valid() -> None:
    verify(SIGNATURE, as_signed_by_awscrt(request()))


def test_a_signature_is_invalid_for_another_body() -> None:
    with pytest.raises(InvalidSignature):
        verify(SIGNATURE, as_signed_by_awscrt(request(b'{"Puts":[1]}')))


def test_a_signature_made_here_is_valid_and_has_the_parts_of_awscrts() -> None:
    signed = request()

    SigV4A(KEYS, "cloudfront-keyvaluestore", "*").add_auth(signed)

    header = signed.headers["Authorization"]
    day = signed.context["timestamp"][:8]
    assert header.startswith(
        f"AWS4-ECDSA-P256-SHA256 Credential=AKIDEXAMPLE/{day}/cloudfront-keyvaluestore/aws4_request, "
        "SignedHeaders=content-type;host;if-match;x-amz-date;x-amz-region-set;x-amz-security-token, Signature=30"
    )
    assert signed.headers["X-Amz-Region-Set"] == "*"
    del signed.headers["Authorization"]
    verify(header.rpartition("=")[2], signed)


def test_a_retried_request_is_signed_again() -> None:
    signed = request()
    auth = SigV4A(KEYS, "cloudfront-keyvaluestore", "*")

    auth.add_auth(signed)
    auth.add_auth(signed)

    assert signed.headers.get_all("X-Amz-Region-Set") == ["*"]
    assert len(signed.headers.get_all("Authorization")) == 1
