"""Checking the fields of a submit body that change neither the clip nor its price."""

from local.simulator.addresses import is_callback_allowed
from local.simulator.catalogue import Model
from local.simulator.errors import bad_parameter
from local.simulator.fields import Body, text, whole

SESSION_ID_LENGTH = 256


def read_callback_url(body: Body) -> str | None:
    """Return the address for the webhook; raises ApiError 400."""
    url = text(body, "callback_url")
    if url is not None and not is_callback_allowed(url):
        raise bad_parameter("callback_url", "must be an https:// address")
    return url


def check_extras(body: Body, model: Model) -> None:
    """Check grouping, upscaling and pass-through; raises ApiError 400 naming the field."""
    session_id = text(body, "session_id")
    if session_id is not None and len(session_id) > SESSION_ID_LENGTH:
        raise bad_parameter("session_id", f"must not be longer than {SESSION_ID_LENGTH} characters")
    text(body, "user")
    if not isinstance(body.get("trace", {}), dict):
        raise bad_parameter("trace", "must be an object")
    _check_upscaling(body, model)
    _check_provider(body, model)


def _check_upscaling(body: Body, model: Model) -> None:
    if "upscale_factor" in body:
        factor, limits = body["upscale_factor"], model.upscale_factor
        if limits is None:
            raise bad_parameter("upscale_factor", "this model does not upscale")
        if not isinstance(factor, (int, float)) or isinstance(factor, bool):
            raise bad_parameter("upscale_factor", "must be a number")
        if not limits["min"] <= factor <= limits["max"]:
            raise bad_parameter("upscale_factor", f"must be between {limits['min']} and {limits['max']}")
    creativity = whole(body, "creativity")
    if creativity is not None and creativity not in (model.creativity or ()):
        raise bad_parameter("creativity", "is not supported by this model", supported=[*(model.creativity or ())])


def _check_provider(body: Body, model: Model) -> None:
    provider = body.get("provider", {})
    options = provider.get("options", {}) if isinstance(provider, dict) else None
    if not isinstance(options, dict):
        raise bad_parameter("provider.options", "must be an object")
    for slug, choice in options.items():
        parameters = choice.get("parameters", {}) if isinstance(choice, dict) else None
        if not isinstance(parameters, dict):
            raise bad_parameter(f"provider.options.{slug}.parameters", "must be an object")
        for key in parameters:
            if key not in model.passed_through:
                raise bad_parameter(
                    f"provider.options.{slug}.parameters.{key}",
                    "may not be passed through to this model",
                    supported=list(model.passed_through),
                )
