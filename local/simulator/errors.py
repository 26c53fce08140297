"""The errors that the API answers with, in the JSON that it documents."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

USER_ID = "user_local"


class ApiError(Exception):
    """A refusal: HTTP status, message, and metadata for the error document."""

    def __init__(
        self,
        status: int,
        message: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        known_user: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.metadata = dict(metadata) if metadata is not None else None
        self.user_id = USER_ID if known_user else None

    def document(self) -> dict[str, Any]:
        """Return the documented error JSON."""
        return error_document(self.status, self.message, self.metadata, self.user_id)


class ImageUnusableError(Exception):
    """A picture could not be fetched or decoded; the message is the sentence that the job ends with."""


def error_document(
    status: int, message: str | None = None, metadata: Mapping[str, Any] | None = None, user_id: str | None = None
) -> dict[str, Any]:
    """Return the API's error JSON for a status, with the status's own phrase where no message is given."""
    return {
        "error": {"code": status, "message": message or _phrase(status), "metadata": metadata},
        "user_id": user_id,
    }


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Closed Request" if status == 499 else f"Error {status}"


def bad_parameter(parameter: str, problem: str, **facts: Any) -> ApiError:
    """Make the 400 that names a parameter, in the message and as `metadata.parameter`."""
    return ApiError(400, f"Invalid parameter '{parameter}': {problem}", {"parameter": parameter, **facts})
