"""All concepts of the API, each a module with its `operations`."""

from chalicelib.edge.api import applications, discovery, logs, quotas, signin, users
from chalicelib.edge.oauth import authorize

CONCEPTS = (authorize, applications, discovery, logs, quotas, signin, users)
