"""The console server's own refusals, in the form that the API has (RFC 9457)."""

from typing import Any

from starlette.responses import JSONResponse

from stillmotion_cli.errors import ApiProblem, CommandError


def problem(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    """A problem document; its type shows that it comes from the console and not from the API."""
    known = {"type": f"urn:stillmotion:console:{code}", "title": _TITLES.get(code, code), "status": status}
    return JSONResponse(known | {"code": code, "detail": detail} | more, status, media_type="application/problem+json")


def failure(error: CommandError) -> JSONResponse:
    """The failure of a call to the stack as an answer, in the words that the terminal uses."""
    if isinstance(error, ApiProblem):
        return problem(error.status, error.code, error.detail or error.title, errors=error.errors)
    detail = f"{error} {error.hint}" if error.hint else str(error)
    return problem(502, type(error).__name__, detail)


_TITLES = {
    "WrongHost": "Not this server's name",
    "WrongOrigin": "Not the console's own page",
    "NoToken": "The page has no token",
    "MethodNotAllowed": "Not a method of this server",
    "NotFound": "There is nothing here",
    "ImageNotUsable": "The picture cannot be used",
    "Unreachable": "The stack gave no answer",
    "NoCredentials": "The AWS credentials cannot be used",
    "BodyTooLarge": "The body is too large",
}
