"""The account of an emulated AWS, and clients of its services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.config import Config
from botocore.session import get_session

REGION = "eu-central-1"
# The emulator treats this key pair as the account's root.
ROOT_KEY = {"AccessKeyId": "test", "SecretAccessKey": "test"}


class EmulatedAccount:
    """Makes clients of the services of an emulated account, in `REGION` unless another region is named."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = get_session()

    def client(self, service: str, credentials: Mapping[str, str] = ROOT_KEY, region: str = REGION) -> Any:
        """Makes a client of a service with the root's key or with credentials from STS. It retries nothing."""
        return self._session.create_client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, proxies={}),
        )
