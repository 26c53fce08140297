"""Where the API key comes from."""

from __future__ import annotations

import json
import re

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.config import Config

from stillmotion.aws_errors import code_of
from stillmotion.errors import ProviderUnauthorized, ProviderUnavailable
from stillmotion.telemetry import logger

KEY_CACHE_SECONDS = 300
_NO_SECRET = frozenset(
    {"ResourceNotFoundException", "AccessDeniedException", "DecryptionFailure", "InvalidRequestException"}
)


class SecretApiKey:
    """The API key from Secrets Manager: the plain secret string, or JSON with a field ``api_key``.

    Cached for 5 minutes, so a rotated key is seen soon, and at once after a 401; that there is none is not cached.

    Args:
        config: the client's time-outs and retries.

    Raises:
        ProviderUnauthorized: the secret holds no key, or may not be read.
        ProviderUnavailable: Secrets Manager did not answer; may be tried again.
    """

    def __init__(self, secret_arn: str, config: Config) -> None:
        self._secret_arn = secret_arn
        self._provider = SecretsProvider(boto_config=config)

    def get(self, *, refresh: bool = False) -> str:
        key = _key_of(self._secret(refresh))
        if not key and not refresh:
            key = _key_of(self._secret(refresh=True))
        if not key:
            raise ProviderUnauthorized(
                "The stack's secret (output ApiKeySecretArn) holds no ModelGates API key, or cannot be read. Put the "
                "key there with 'aws secretsmanager put-secret-value'; the function's log says more. Nothing was "
                "submitted."
            )
        return key

    def _secret(self, refresh: bool) -> object:
        try:
            return self._provider.get(self._secret_arn, max_age=KEY_CACHE_SECONDS, force_fetch=refresh)
        except GetParameterError as error:
            logger.warning("the API key could not be read", extra={"reason": str(error)})
            code = code_of(error.__context__)
            if code in _NO_SECRET:
                return None
            raise ProviderUnavailable(
                f"Secrets Manager did not give the API key ({code}). Nothing was submitted; try again."
            ) from None


def _key_of(secret: object) -> str:
    text = secret.strip() if isinstance(secret, str) else ""
    if text.startswith("{"):
        try:
            text = json.loads(text).get("api_key")
        except ValueError:
            return ""
        text = text.strip() if isinstance(text, str) else ""
    # Anything else cannot go into a header, and the error that says so would repeat the key.
    return text if re.fullmatch(r"[!-~]+", text) else ""
