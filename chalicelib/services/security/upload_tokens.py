"""Issues the tokens in the `Location` of uploads. Each response carries a new token with a full lifetime."""

import time
from collections.abc import Callable, Sequence

from chalicelib.domain.ids import ulid
from chalicelib.domain.uploads import MANY, UploadToken


class UploadTokens:
    """Signs with the first of `keys` and accepts all.

    `life_s` and, for presigned uploads, `presigned_upload_s` are the lives of tokens in seconds.
    """

    def __init__(
        self, keys: Sequence[bytes], life_s: int, presigned_upload_s: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys, self._life_s, self._presigned_upload_s, self._clock = list(keys), life_s, presigned_upload_s, clock

    @property
    def longest_s(self) -> int:
        """Seconds after which every token of an upload that got no further response has expired."""
        return self._presigned_upload_s + self._life_s

    def begin(self, repository_id: str, algorithm: str, most: int | None = None) -> tuple[str, str]:
        """Returns a token for a new upload into a repository, and the upload's id.

        `most` is how many bytes the upload edge may take, None for as many as S3 takes.
        """
        now = self._clock()
        token = UploadToken(ulid(now), repository_id, int(now) + self._life_s, algorithm, most=most)
        return token.signed(self._keys[0]), token.upload_id

    def verify(self, text: str) -> UploadToken:
        """Returns a token that this registry signed. Raises BlobUploadUnknown."""
        return UploadToken.verify(text, self._keys, self._clock())

    def following(self, token: UploadToken, offset: int) -> str:
        """Returns the token after a chunk, with which only chunks may follow, from `offset` on."""
        return self._renewed(token, self._life_s, offset)

    def presigned(self, token: UploadToken, offset: int) -> str:
        """Returns the token for an upload by a relay, which may take long; the upload edge accepts no bytes for it."""
        return self._renewed(token, self._presigned_upload_s, offset)

    def _renewed(self, token: UploadToken, life_s: int, offset: int) -> str:
        until = int(self._clock()) + life_s
        following = UploadToken(token.upload_id, token.repository_id, until, token.algorithm, MANY, offset=offset)
        return following.signed(self._keys[0])
