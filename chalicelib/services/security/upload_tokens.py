"""The tokens in the `Location` of uploads, as they are given out: each answer's is good for a whole life again."""

import time
from collections.abc import Callable, Sequence

from chalicelib.domain.ids import ulid
from chalicelib.domain.uploads import MANY, UploadToken


class UploadTokens:
    """Signs with the first of `keys` and verifies with all; `presigned_upload_s` is the life of `presigned` tokens."""

    def __init__(
        self, keys: Sequence[bytes], life_s: int, presigned_upload_s: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys, self._life_s, self._presigned_upload_s, self._clock = list(keys), life_s, presigned_upload_s, clock

    @property
    def longest_s(self) -> int:
        """Seconds after which no token of an upload is good that has had no answer since."""
        return self._presigned_upload_s + self._life_s

    def begin(self, repository_id: str, algorithm: str) -> tuple[str, str]:
        """A token for a new upload into a repository, and the upload's id."""
        now = self._clock()
        token = UploadToken(ulid(now), repository_id, int(now) + self._life_s, algorithm)
        return token.signed(self._keys[0]), token.upload_id

    def verify(self, text: str) -> UploadToken:
        """A token of ours. Raises BlobUploadUnknown."""
        return UploadToken.verify(text, self._keys, self._clock())

    def following(self, token: UploadToken) -> str:
        """The token after a chunk: only chunks may follow."""
        return self._renewed(token, self._life_s)

    def presigned(self, token: UploadToken) -> str:
        """Returns the token for a presigned upload, which may take long; the upload edge takes no bytes for it."""
        return self._renewed(token, self._presigned_upload_s)

    def _renewed(self, token: UploadToken, life_s: int) -> str:
        until = int(self._clock()) + life_s
        following = UploadToken(token.upload_id, token.repository_id, until, token.algorithm, MANY)
        return following.signed(self._keys[0])
