"""Make a clip from Python: price it first, submit it once, wait, store it.

    python make_clip.py still.jpg "a slow push in" clip.mp4

The stack is named by STILLMOTION_STACK (a CloudFormation stack), or is the one that `make local` left running.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stillmotion_cli import generation, pictures
from stillmotion_cli.client import ApiClient, Job
from stillmotion_cli.discovery import Wanted, find_stack
from stillmotion_cli.errors import ApiProblem, CommandError, GenerationFailed, StillRunning
from stillmotion_cli.stack import Stack

MODEL = "google/veo-3.1-lite"
WAIT_SECONDS = 1800
MAX_USD = 0.50


def make_clip(stack: Stack, picture: Path, prompt: str, target: Path, key: str) -> Job:
    """The completed job, with its clip stored at ``target``. The same ``key`` never pays twice.

    Raises:
        ApiProblem: the stack refused the request; ``code`` names why, ``errors`` has every fault.
        GenerationFailed: the job ended without a clip; StillRunning: it may still come.
        CommandError: anything else that this package fails with.
    """
    client = ApiClient(stack)
    first_frame = pictures.upload(stack, picture)
    request = generation.build_request(model=MODEL, prompt=prompt, duration=4, first_frame=first_frame)
    estimate = client.dry_run(request)["estimated_cost_usd"]
    if estimate is None or estimate > MAX_USD:
        raise CommandError(f"the clip may cost {estimate} USD, more than {MAX_USD}; nothing was submitted")
    job = client.submit(request, key)
    job = generation.wait(client, job, lambda seen: print(seen["status"], file=sys.stderr), timeout=WAIT_SECONDS)
    generation.require_completed(job)
    generation.download(stack, job, target)
    return job


def main() -> int:
    """Make the clip that the command line names; the exit code is the one of the ``stillmotion`` command."""
    picture, prompt, target = sys.argv[1:4]
    try:
        stack = find_stack(Wanted(os.environ.get("STILLMOTION_STACK")))
        job = make_clip(stack, Path(picture), prompt, Path(target), key=f"{picture}:{prompt}")
    except ApiProblem as problem:
        print(f"refused: {problem.code}: {problem.detail}", file=sys.stderr)
        return problem.exit_code
    except (GenerationFailed, StillRunning) as ended:
        print(f"no clip: {ended}", file=sys.stderr)
        return ended.exit_code
    except CommandError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(job["id"], target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
