"""`make run`: a picture becomes a clip, on a local cloud that lives only as long as that takes.

Takes IMAGE, LAST_IMAGE, PROMPT, MODEL, DURATION and CATALOGUE from the environment. With MODELGATES_API_KEY set the
real service is used. The last line on standard output is JSON: {"id", "status", "output_path", "bytes"}.
"""

import json
import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from local.catalogue import chosen_catalogue
from local.cloud import LocalCloud
from local.inspected import findings, wait_for_inspection, warnings
from local.paths import ROOT, SAMPLE
from local.processes import LocalCloudError, end_on_sigterm
from stillmotion_cli import generation, pictures
from stillmotion_cli.client import ApiClient, Job
from stillmotion_cli.errors import BadInput, CommandError, GenerationFailed
from stillmotion_cli.options import DEFAULT_WAIT
from stillmotion_cli.progress import Progress
from stillmotion_cli.stack import Stack
from stillmotion_cli.terminal import Terminal

DEFAULT_MODEL = "google/veo-3.1-lite"
DEFAULT_PROMPT = "The camera moves slowly through the scene."
DEFAULT_DURATION = 4
DEFAULT_RESOLUTION = "720p"
SIMULATED_WAIT = 180

terminal = Terminal()


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked for, checked as far as this machine can."""

    image: Path
    last_image: Path | None
    prompt: str
    model: str
    duration: int | None
    resolution: str | None

    @classmethod
    def from_environment(cls, env: dict[str, str]) -> "Order":
        """Raise BadInput before anything is started when a picture or a number is unusable."""
        image = Path(env.get("IMAGE") or os.path.relpath(SAMPLE))
        last_image = Path(env["LAST_IMAGE"]) if env.get("LAST_IMAGE") else None
        model = env.get("MODEL") or DEFAULT_MODEL
        # What another model offers is for it to say; ours is known to offer these.
        default = model == DEFAULT_MODEL
        _check_picture("IMAGE", image)
        if last_image:
            _check_picture("LAST_IMAGE", last_image)
        return cls(
            image=image,
            last_image=last_image,
            prompt=env.get("PROMPT") or DEFAULT_PROMPT,
            model=model,
            duration=_whole_number("DURATION", env.get("DURATION")) or (DEFAULT_DURATION if default else None),
            resolution=DEFAULT_RESOLUTION if default else None,
        )


def _check_picture(name: str, path: Path) -> None:
    """Read the whole picture, so that a damaged one shows here."""
    pictures.content_type(path)
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(f"{name}={path} is damaged: {error}. Give a JPEG, PNG or WebP picture that opens.") from error


def _whole_number(name: str, text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise BadInput(f"{name}={text} is not a whole number of seconds. For example: {name}={DEFAULT_DURATION}")
    return int(text)


def generate(stack: Stack, order: Order) -> Job:
    """Submit the order through the stack's HTTP API and wait until the job is terminal."""
    real = stack.simulator_url is None
    request = generation.build_request(
        model=order.model,
        prompt=order.prompt,
        # The real service cannot fetch from a bucket on this machine.
        first_frame=pictures.to_address(stack, str(order.image), inline=real),
        last_frame=pictures.to_address(stack, str(order.last_image), inline=real) if order.last_image else None,
        duration=order.duration,
        resolution=order.resolution,
    )
    client = ApiClient(stack)
    for warning in client.dry_run(request)["warnings"]:
        terminal.say(f"Warning: {warning}", "yellow")
    with Progress(terminal) as progress:
        timeout = DEFAULT_WAIT if real else SIMULATED_WAIT
        return generation.wait(client, client.submit(request), progress.update, timeout=timeout, interval=0.5)


def make_clip(stack: Stack, order: Order, folder: Path) -> int:
    """The whole job on a running stack. Prints the result line and returns the exit code."""
    job = generate(stack, order)
    output, size, faults = None, None, []
    if job["status"] == "completed":
        output = folder / f"{job['id']}.mp4"
        size = generation.download(stack, job, output)
        job = wait_for_inspection(ApiClient(stack), job)
        given = {"first_frame": str(order.image), "last_frame": str(order.last_image)}
        for line in findings(job, given):
            print(line)
        faults = warnings(job) if "inspection" in job else ["The clip was not inspected."]
    shown = str(output) if output else None
    print(json.dumps({"id": job["id"], "status": job["status"], "output_path": shown, "bytes": size}), flush=True)
    generation.require_completed(job)
    if faults and stack.simulator_url:
        # A real model may take its liberties with what was asked; the simulator may not.
        raise GenerationFailed("\n".join(faults))
    return 0


def main() -> int:
    """Run the job and return the exit code, with everything torn down."""
    end_on_sigterm()
    try:
        order = Order.from_environment(dict(os.environ))
        catalogue = chosen_catalogue()
        api_key = os.environ.get("MODELGATES_API_KEY") or None
        if api_key and catalogue:
            raise BadInput(
                f"CATALOGUE={catalogue} is for the simulator, MODELGATES_API_KEY for the real ModelGates. "
                "Give one of them."
            )
        if api_key:
            terminal.say(
                "MODELGATES_API_KEY is set: this uses the real ModelGates and spends credits of that key. "
                "Without it a simulator is used, which costs nothing.",
                "bold yellow",
            )
        say = partial(terminal.say, style="dim")
        with LocalCloud("run", api_key=api_key, catalogue=catalogue, say=say) as cloud:
            return make_clip(cloud.stack, order, Path(os.path.relpath(ROOT / "out")))
    except CommandError as error:
        terminal.failure(error)
        return error.exit_code
    except LocalCloudError as error:
        terminal.say(str(error), "red")
        return 1
    except KeyboardInterrupt:
        terminal.say("Stopped; nothing is left running.", "yellow")
        return 130


if __name__ == "__main__":
    sys.exit(main())
