"""All concepts of the API, each a module with its `operations`."""

from chalicelib.edge.api import (
    applications,
    apptokens,
    builds,
    capabilities,
    descriptions,
    discovery,
    features,
    health,
    logs,
    messages,
    quotas,
    robots,
    service_keys,
    signin,
    users,
)
from chalicelib.edge.oauth import authorize

CONCEPTS = (
    authorize,
    applications,
    apptokens,
    builds,
    capabilities,
    descriptions,
    discovery,
    features,
    health,
    logs,
    messages,
    quotas,
    robots,
    service_keys,
    signin,
    users,
)
