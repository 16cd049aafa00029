"""The account of an emulated AWS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.config import Config
from botocore.session import get_session

REGION = "eu-central-1"
# What an emulator takes for the account's root.
ROOT_KEY = {"AccessKeyId": "test", "SecretAccessKey": "test"}


class EmulatedAccount:
    """Clients of an emulator's account, in one region unless told otherwise."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = get_session()

    def client(self, service: str, credentials: Mapping[str, str] = ROOT_KEY, region: str = REGION) -> Any:
        """A client of a service: the root's, or with the credentials that STS gave. Nothing is tried twice."""
        return self._session.create_client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, proxies={}),
        )
