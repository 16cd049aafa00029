"""Path prefixes that several rooms share."""

REPOSITORY = "/api/v1/repository/{repository}"
ORGANIZATION = "/api/v1/organization/{orgname}"
TAG = REPOSITORY + "/tag/{tag}"
MANIFEST = REPOSITORY + "/manifest/{digest}"
