"""A stack with a record in the state that a sample event needs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from local.simulator import Simulator
from stillmotion import wiring
from stillmotion.generation.submit import Origin
from stillmotion.jobs.lifecycle import Status, Transition
from stillmotion.jobs.record import Job
from stillmotion.requests.video_request import VideoRequest
from stillmotion.settings import SubmitSettings, load
from tests.support.inprocess import CALLER, Cloud

ID = "vid_3gk7w2x9q4r8s5t1v0y6z3abcd"
EXECUTION = f"arn:aws:states:eu-central-1:123456789012:execution:generate-video:{ID}"


@dataclass
class House:
    """A stack with the simulator behind it, and the record that a sample needs."""

    stack: Cloud
    simulator: Simulator

    def record(self, submit: bool = True) -> Job:
        """The samples' job: queued, or really submitted to the simulator."""
        frame = {"image_url": {"url": self.simulator.image_url()}, "frame_type": "first_frame"}
        request = VideoRequest.model_validate(
            {"model": "google/veo-3.1-lite", "prompt": "p", "duration": 4, "frame_images": [frame]}
        )
        submission = wiring.submission(load(SubmitSettings, os.environ))
        job = submission.accept(request, ID, Origin({"type": "http"}, CALLER, EXECUTION)).job
        return submission.submit(job) if submit else job

    def change(self, **changes: Any) -> Job:
        """Put the record into the sample's state, also where no way leads from the present one to it."""
        store = wiring.job_store(load(SubmitSettings, os.environ))
        with patch("stillmotion.jobs.store.check_transition"):
            return store.update(
                ID, Transition("tests", "arranged", frozenset(Status), changes.pop("status", None)), **changes
            )

    def found(self) -> dict[str, Any]:
        return self.stack.job(ID)


type Check = Callable[[House, Any], None]
