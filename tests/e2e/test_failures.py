"""Jobs that were accepted and end without a video."""

import pytest

from local.cloud import LocalCloud
from stillmotion_cli import generation
from stillmotion_cli.errors import GenerationFailed
from tests.e2e.support import Caller, SimulatorControl

SAID = "The prompt violates the content policy (person)."


@pytest.mark.parametrize(
    ("ending", "code"),
    [("failed", "GenerationFailed"), ("cancelled", "GenerationCancelled"), ("expired", "GenerationExpired")],
)
def test_a_failed_generation_keeps_the_providers_words(
    caller: Caller, simulator: SimulatorControl, cloud: LocalCloud, ending: str, code: str
) -> None:
    with simulator.settings(fail_with={"status": ending, "error": SAID}):
        job = caller.make()
    assert job["status"] == ending
    assert job["error"]["code"] == code
    assert job["error"]["provider_message"] == SAID
    event = cloud.events.wait_for("Video Generation Failed", job["id"])
    assert event["detail"]["status"] == ending
    assert event["detail"]["error"]["code"] == code
    execution = caller.execution(job)
    assert (execution["status"], execution["error"]) == ("FAILED", code)
    with pytest.raises(GenerationFailed, match="content policy"):
        generation.require_completed(job)
