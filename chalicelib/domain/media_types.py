"""Media types of manifests (https://github.com/opencontainers/image-spec/blob/main/media-types.md)."""

import re

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_SCHEMA_1 = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)

IMAGES = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_LIST)
# Types whose content is a manifest and never a blob. Content of any other type may be either.
MANIFESTS = (*IMAGES, *INDEXES)
# Types whose documents must have `schemaVersion: 2`.
VERSIONED = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
IMAGE_CONFIGS = (OCI_CONFIG, DOCKER_CONFIG)
# Prefixes of non-distributable layers, whose bytes clients do not push.
FOREIGN = ("application/vnd.oci.image.layer.nondistributable.", "application/vnd.docker.image.rootfs.foreign.")
# Types that browsers show, play or run whatever their subtype is, and the endings of such subtypes of other types.
SHOWN_TYPES = ("text", "image", "audio", "video", "font", "model", "multipart", "message")
SHOWN_SUBTYPES = re.compile(
    r"(.*[+.-])?(xml|html|xhtml|pdf|postscript|(java|ecma|j|live)script[0-9.]*|hta|wasm|mhtml|mimearchive"
    r"|signed-exchange|webbundle|shockwave-flash)"
)


# https://www.rfc-editor.org/rfc/rfc6838#section-4.2
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
GRAMMAR = re.compile(f"{_NAME}/{_NAME}")


def bare(media_type: str) -> str:
    """Returns the media type without its parameters; letters keep their case."""
    return media_type.partition(";")[0].strip()


def is_shown(media_type: str) -> bool:
    """Whether a browser that opens content of this type might render it or run it."""
    kind, _, subtype = media_type.lower().partition("/")
    return kind in SHOWN_TYPES or bool(SHOWN_SUBTYPES.fullmatch(subtype))


def is_foreign(media_type: str) -> bool:
    """Whether content of this type is non-distributable."""
    return media_type.startswith(FOREIGN)
