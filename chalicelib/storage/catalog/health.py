"""Checks whether table and bucket answer, with one cheap read of each, and how full the disk is."""

import shutil
import tempfile

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.domain.errors import RegistryError
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.accounts.accounts import FirstUserRow
from chalicelib.storage.objects import BucketRefused, ObjectGone, ObjectStore
from chalicelib.storage.table import get

NO_ANSWER = (RegistryError, PynamoDBException, BotoCoreError, ClientError, BucketRefused, ObjectGone)


class HealthStore:
    """Checks table and bucket."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def table_answers(self) -> bool:
        """Whether the table answers a read of one row."""
        try:
            get(FirstUserRow, keys.first_user())
        except NO_ANSWER:
            return False
        return True

    def bucket_answers(self) -> bool:
        """Whether the bucket answers a list of an empty prefix."""
        try:
            next(self._objects.pages(bucket_keys.NOWHERE), None)
        except NO_ANSWER:
            return False
        return True

    def free_disk(self) -> float:
        """Returns which part of the disk for temporary files is free, from 0 to 1; 0 if no file can be written."""
        try:
            usage = shutil.disk_usage(tempfile.gettempdir())
        except OSError:
            return 0.0
        return usage.free / usage.total
