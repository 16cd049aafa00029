"""Whether what the house stands on answers: one cheap read of each."""

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.domain.errors import RegistryError
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.accounts.accounts import FirstUserRow
from chalicelib.storage.objects import ObjectGone, ObjectStore
from chalicelib.storage.table import get

SILENCE = (RegistryError, PynamoDBException, BotoCoreError, ClientError, ObjectGone)


class HealthStore:
    """Table and bucket, asked."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def table_answers(self) -> bool:
        """Whether the table gives a row, or says that it is not there."""
        try:
            get(FirstUserRow, keys.first_user())
        except SILENCE:
            return False
        return True

    def bucket_answers(self) -> bool:
        """Whether the bucket tells what it has where nothing is."""
        try:
            next(self._objects.pages(bucket_keys.NOWHERE), None)
        except SILENCE:
            return False
        return True
