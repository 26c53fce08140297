"""Where the API key comes from."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

from stillmotion.aws.errors import storage_errors
from stillmotion.errors import ProviderUnauthorized, ProviderUnavailable, StorageFailed
from stillmotion.outbound.redaction import remember_secret
from stillmotion.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEY_CACHE_SECONDS = 300
_NO_SECRET = frozenset(
    {"ResourceNotFoundException", "AccessDeniedException", "DecryptionFailure", "InvalidRequestException"}
)


class SecretApiKey:
    """The API key from Secrets Manager: the plain secret string, or JSON with a field ``api_key``.

    Cached for 5 minutes, so a rotated key is seen soon, and at once after a 401. A missing key is not cached.

    Raises:
        ProviderUnauthorized: the secret holds no key, or may not be read.
        ProviderUnavailable: Secrets Manager did not answer; may be tried again.
    """

    def __init__(self, secrets: SecretsManagerClient, secret_arn: str) -> None:
        self._secrets = secrets
        self._secret_arn = secret_arn
        self._key = ""
        self._read_at = 0.0

    def get(self, *, refresh: bool = False) -> str:
        if refresh or not self._key or time.time() - self._read_at >= KEY_CACHE_SECONDS:
            self._key, self._read_at = self._read(), time.time()
            remember_secret(self._key)
        if not self._key:
            raise ProviderUnauthorized(
                "The stack's secret (output ApiKeySecretArn) holds no ModelGates API key, or cannot be read. Put the "
                "key there with 'aws secretsmanager put-secret-value'; the function's log says more. Nothing was "
                "submitted."
            )
        return self._key

    def _read(self) -> str:
        """The key as it is now, empty where the secret holds none or may not be read."""
        try:
            with storage_errors("Secrets Manager did not give the API key", "Nothing was submitted; try again."):
                return _key_of(self._secrets.get_secret_value(SecretId=self._secret_arn).get("SecretString", ""))
        except StorageFailed as error:
            logger.warning("the API key could not be read", extra={"reason": str(error.__cause__)})
            if error.aws_code in _NO_SECRET:
                return ""
            raise ProviderUnavailable(error.detail) from None


def _key_of(secret: str) -> str:
    text = secret.strip()
    if text.startswith("{"):
        try:
            text = json.loads(text).get("api_key")
        except (ValueError, RecursionError):
            return ""
        text = text.strip() if isinstance(text, str) else ""
    # Anything else cannot go into a header, and the error that says so would repeat the key.
    return text if re.fullmatch(r"[!-~]+", text) else ""
