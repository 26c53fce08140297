"""Something for the runbook's commands to find: jobs that went well, that failed, and whose submits were lost."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3

from local.paths import SAMPLE
from stillmotion_cli import generation, pictures
from stillmotion_cli.client import ApiClient, Job
from stillmotion_cli.errors import CommandError
from stillmotion_cli.stack import Stack

PATIENCE = 180
"""Seconds that a job may take; a lost answer is waited for as long as polling takes, about 70 s."""
REQUEST: dict[str, Any] = {
    "model": "google/veo-3.1-lite",
    "prompt": "A slow zoom",
    "duration": 4,
    "resolution": "720p",
    "aspect_ratio": "16:9",
}


class Situation:
    """Jobs of a local stack, made for a game day; the simulator plays ModelGates's part in what goes wrong."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._client = ApiClient(stack)
        self._stack = stack
        self._folder = folder

    def words(self) -> dict[str, dict[str, str]]:
        """What is put into the commands, by alarm; ``""`` has what holds for all others."""
        lost = self._lost(2)
        done = self._ended(self._submit())
        failed = self._undeliverable()
        general = {"ID": done["id"], "EXECUTION_ARN": str(done["execution_arn"])} | self._manifest()
        ids = self._provider_ids()
        settled = [{"ID": job["id"], "PROVIDER_ID": ids[job["id"]]} for job in map(self._ended, lost)]
        self._simulator("PUT", "/settings", {"webhooks": True})
        return {
            "": general,
            "SubmitOutcomeUnknownAlarm": general | settled[0],
            "ProviderIdTakenAlarm": general | settled[1],
            "LateCallbackAlarm": general | {"ID": failed["id"]},
        }

    def _submit(self) -> Job:
        picture = pictures.upload(self._stack, SAMPLE)
        return self._client.submit(generation.build_request(first_frame=picture, **REQUEST))

    def _ended(self, job: Job) -> Job:
        return generation.wait(self._client, job, lambda _: None, timeout=PATIENCE, interval=1)

    def _lost(self, number: int) -> list[Job]:
        """Jobs whose answers are lost, and that no callback names: after about a minute their outcome is unknown."""
        self._simulator("PUT", "/settings", {"webhooks": False})
        self._simulator("POST", "/faults", [{"on": "submit", "accept_then_lose": "reset", "times": number}])
        for _ in range(number):
            with suppress(CommandError):
                self._submit()
        self._simulator("DELETE", "/faults")
        found: list[Job] = self._client.jobs(limit=number)["data"]
        return found

    def _undeliverable(self) -> Job:
        """A job whose clip could not be stored, and that can be resumed."""
        self._simulator("POST", "/faults", [{"on": "content", "garbage": True, "times": None}])
        try:
            return self._ended(self._submit())
        finally:
            self._simulator("DELETE", "/faults")

    def _manifest(self) -> dict[str, str]:
        """A batch of one row that was begun, and its manifest in the folder where commands are run."""
        row = {"item_id": "one", "first_frame": pictures.upload(self._stack, SAMPLE), **REQUEST}
        text = json.dumps(row) + "\n"
        (self._folder / "manifest.jsonl").write_text(text)
        bucket, key = self._stack.input_bucket, "shared/game-day.jsonl"
        self._stack.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
        self._client.start_batch({"batch_id": "game-day", "manifest": f"s3://{bucket}/{key}"})
        return {"BATCH_ID": "game-day", "MANIFEST": "manifest.jsonl"}

    def _provider_ids(self) -> dict[str, str]:
        """ModelGates's id of each job, as somebody finds it in the account."""
        found = self._simulator("GET", "/jobs")["jobs"]
        return {urlsplit(one["request"]["callback_url"]).path.split("/")[-2]: one["id"] for one in found}

    def _simulator(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        answer = urllib3.request(
            method, f"{self._stack.simulator_url}/_simulator{path}", body=content, headers=headers, timeout=10
        )
        return json.loads(answer.data) if answer.data else None
