"""The secrets behind callbacks, from Secrets Manager."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stillmotion.aws.errors import storage_errors
from stillmotion.errors import StorageFailed
from stillmotion.modelgates.callback import callback_url
from stillmotion.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CACHE_SECONDS = 300
RETRY_SECONDS = 10
SETTLED_SECONDS = CACHE_SECONDS + 60
"""After this age of a value, every warm callback function has read it; the minute is for clocks that differ."""
_NO_VERSION = "ResourceNotFoundException"


class VersionedSecret:
    """The current and the previous value of a secret, so that it can be rotated while callbacks are under way.

    The values are cached for 5 minutes and read again by their age alone: a request, whatever it holds, never causes
    a read. While Secrets Manager does not answer, the last values are used, and a read is tried every 10 seconds.
    """

    def __init__(self, secrets: SecretsManagerClient, secret_arn: str) -> None:
        self._secrets = secrets
        self._secret_arn = secret_arn
        self._values: tuple[str, ...] = ()
        self._current_since = 0.0
        self._read_next = 0.0

    def values(self) -> tuple[str, ...]:
        """The current value, then the previous one where there is one; never empty.

        Raises:
            StorageFailed: they have not been read yet, and cannot be read now.
        """
        if time.time() >= self._read_next:
            self._read_next = time.time() + RETRY_SECONDS
            try:
                self._values = self._read()
                self._read_next = time.time() + CACHE_SECONDS
            except StorageFailed as error:
                logger.warning("a callback secret could not be read", extra={"reason": error.detail})
        if not self._values:
            raise StorageFailed(
                "The secret of the callbacks could not be read, so nothing was checked. Try again; the function's log "
                "says why."
            )
        return self._values

    def value_for_addresses(self) -> str:
        """The value that new addresses are made with: the previous one until all who check them know the current one.

        Raises:
            StorageFailed: as :meth:`values`.
        """
        values = self.values()
        return values[0] if time.time() - self._current_since >= SETTLED_SECONDS else values[-1]

    def _read(self) -> tuple[str, ...]:
        current, since = self._version("AWSCURRENT")
        found = [current]
        try:
            found.append(self._version("AWSPREVIOUS")[0])
        except StorageFailed as error:
            if error.aws_code != _NO_VERSION:
                raise
        self._current_since = since
        return tuple(value for value in found if value)

    def _version(self, stage: str) -> tuple[str, float]:
        """The value with this label, and when it was made, in unix seconds."""
        with storage_errors(f"Secrets Manager did not give the version {stage} of a callback secret"):
            answer = self._secrets.get_secret_value(SecretId=self._secret_arn, VersionStage=stage)
        return answer.get("SecretString", "").strip(), answer["CreatedDate"].timestamp()


class CallbackAddresses:
    """Where ModelGates calls back about each job: the :class:`~stillmotion.ports.CallbackUrls`."""

    def __init__(self, base: str, secret: VersionedSecret) -> None:
        self._base = base
        self._secret = secret

    def address(self, job_id: str) -> str | None:
        try:
            return callback_url(self._base, self._secret.value_for_addresses(), job_id)
        except StorageFailed:
            return None  # a job without a callback is polled, as all are where callbacks are off
