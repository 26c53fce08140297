"""`make run`: a picture becomes a clip, on a local cloud that lives only as long as that takes.

Takes IMAGE, LAST_IMAGE, PROMPT, MODEL, DURATION and CATALOGUE from the environment. Without MODEL the stack chooses;
which model that is, what it costs and why is printed. With MODELGATES_API_KEY set the real service is used. The last
line on standard output is JSON: {"id", "status", "output_path", "bytes"}.
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
from stillmotion_cli import downloads, generation, pictures
from stillmotion_cli.choice import choose
from stillmotion_cli.client import ApiClient, Job
from stillmotion_cli.errors import BadInput, CommandError, GenerationFailed, NotStored
from stillmotion_cli.options import DEFAULT_WAIT
from stillmotion_cli.progress import Progress
from stillmotion_cli.stack import Stack
from stillmotion_cli.terminal import Terminal

DEFAULT_PROMPT = "The camera moves slowly through the scene."
SIMULATED_WAIT = 180
VARIABLES = {
    "model": "MODEL",
    "prompt": "PROMPT",
    "duration": "DURATION",
    "frame_images/0": "IMAGE",
    "frame_images/1": "LAST_IMAGE",
}
"""What the caller types for the fields of the API."""

terminal = Terminal()
terminal.names = VARIABLES


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked for, checked as far as this machine can. Pictures are paths or https:// addresses; without
    a model or a duration the stack chooses."""

    image: str
    last_image: str | None
    prompt: str
    model: str | None
    duration: int | None

    @classmethod
    def from_environment(cls, env: dict[str, str]) -> "Order":
        """Raise BadInput before anything is started when a picture or a number is unusable."""
        image = env.get("IMAGE") or os.path.relpath(SAMPLE)
        last_image = env.get("LAST_IMAGE") or None
        _check_picture("IMAGE", image)
        if last_image:
            _check_picture("LAST_IMAGE", last_image)
        return cls(
            image=image,
            last_image=last_image,
            prompt=env.get("PROMPT") or DEFAULT_PROMPT,
            model=env.get("MODEL") or None,
            duration=_whole_number("DURATION", env.get("DURATION")),
        )


def _check_picture(name: str, picture: str) -> None:
    """Read a local picture to its end, so that a damaged one is noticed here; an address is checked by the stack."""
    if pictures.is_address(picture):
        return _check_address(name, picture)
    path = Path(picture)
    try:
        pictures.content_type(path)
        with Image.open(path) as opened:
            opened.load()
    except BadInput as error:
        raise BadInput(f"{name}={path} cannot be used. {error}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(f"{name}={path} is damaged: {error}. Give a JPEG, PNG or WebP picture that opens.") from error


def _check_address(name: str, address: str) -> None:
    scheme = address.partition(":")[0].lower()
    if scheme in ("https", "data"):
        return
    why = {
        "s3": "the local cloud cannot reach buckets in AWS. Download it first, with aws s3 cp",
        "http": "ModelGates takes https:// only. Download it first",
    }.get(scheme, f"{scheme}:// addresses are not taken")
    raise BadInput(f"{name}={address} cannot be used: {why}; then give its path.")


def _whole_number(name: str, text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise BadInput(f"{name}={text} is not a whole number of seconds. For example: {name}=4")
    return int(text)


def generate(stack: Stack, order: Order) -> Job:
    """Submit the order through the stack's HTTP API and wait until the job is terminal."""
    real, client = stack.simulator_url is None, ApiClient(stack)
    frames = ["first_frame", "last_frame"] if order.last_image else ["first_frame"]
    wish = {"frame": frames, "duration": order.duration, "audio": False, **pictures.shape(order.image)}
    chosen = choose(client, wish, model=order.model, option="MODEL=")
    terminal.say(chosen.sentence())
    request = generation.build_request(
        model=chosen.model,
        prompt=order.prompt,
        # The real service cannot fetch from a bucket on this machine.
        first_frame=pictures.to_address(stack, order.image, inline=real),
        last_frame=pictures.to_address(stack, order.last_image, inline=real) if order.last_image else None,
        duration=chosen.duration,
        generate_audio=False,
    )
    for warning in client.dry_run(request)["warnings"]:
        terminal.warn(warning)
    with Progress(terminal) as progress:
        timeout = DEFAULT_WAIT if real else SIMULATED_WAIT
        return generation.wait(client, client.submit(request), progress.update, timeout=timeout, interval=0.5)


def make_clip(stack: Stack, order: Order, folder: Path) -> int:
    """The whole job on a running stack. Prints the result line and returns the exit code."""
    job = generate(stack, order)
    output, size, faults = None, None, []
    if job["status"] == "completed":
        output = folder / f"{job['id']}.mp4"
        size = _store(stack, job, output)
        job = wait_for_inspection(ApiClient(stack), job)
        given = {"first_frame": order.image, "last_frame": order.last_image or ""}
        for line in findings(job, given):
            print(line)
        faults = warnings(job) if "inspection" in job else ["The clip was not inspected."]
    shown = str(output) if output else None
    print(json.dumps({"id": job["id"], "status": job["status"], "output_path": shown, "bytes": size}), flush=True)
    generation.require_completed(job, terminal.names)
    if faults and stack.simulator_url:
        # A real model may differ from what was asked; the simulator may not.
        raise GenerationFailed("\n".join(faults))
    return 0


def _store(stack: Stack, job: Job, output: Path) -> int:
    """Download the clip; where that fails, say where the paid clip still is."""
    try:
        return generation.download(stack, job, output)
    except CommandError as error:
        kept = (
            ""
            if stack.simulator_url
            else (f" ModelGates keeps it for some time as {(job.get('provider') or {}).get('job_id')}.")
        )
        raise NotStored(f"The clip is finished, but is not stored here. {error}{kept}", job) from error


def main() -> int:
    """Run the job and return the exit code, with everything torn down."""
    end_on_sigterm()
    try:
        order = Order.from_environment(dict(os.environ))
        folder = Path(os.path.relpath(ROOT / "out"))
        downloads.check_writable(folder / "clip.mp4")
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
            return make_clip(cloud.stack, order, folder)
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
