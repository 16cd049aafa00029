"""Every refusal has an answer in OCI's words."""

import re

from chalicelib.domain import errors
from chalicelib.edge.registry.errors import CODES

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
SPECIFIED = {
    "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED",
    "UNSUPPORTED", "TOOMANYREQUESTS",
}  # fmt: skip
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RegistryError)]


def code_of(kind: type) -> str:
    """OCI's word for an error of that name: `BlobUnknown` is `BLOB_UNKNOWN`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).upper()


def test_every_kind_and_leaf_has_an_answer_by_ancestry() -> None:
    kinds = [kind for kind in KINDS if kind is not errors.RegistryError]

    assert len(kinds) > 50
    assert [kind.__name__ for kind in kinds if not any(ancestor in CODES for ancestor in kind.__mro__)] == []


def test_an_error_that_the_specification_names_has_a_row_of_its_own() -> None:
    named = [kind for kind in KINDS if code_of(kind) in SPECIFIED]

    assert len(named) > 10
    assert [kind.__name__ for kind in named if CODES.get(kind, ("",))[0] != code_of(kind)] == []


def test_every_code_of_a_4xx_is_the_specifications() -> None:
    """The specification gives a list for 4xx only; for 5xx docker's registry has the words that clients know."""
    assert {code for code, status in CODES.values() if 400 <= status < 500} <= SPECIFIED
    assert {code for code, status in CODES.values() if status >= 500} <= {"UNAVAILABLE"}
