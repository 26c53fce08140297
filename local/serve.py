"""`make local` and `make local-stop`: a local cloud that stays, held by one process in the background.

The supervisor holds a lock as long as it lives, so a second one cannot start and a stale file means nothing.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from local.catalogue import chosen_catalogue
from local.cloud import LocalCloud
from local.events import kept_log
from local.paths import HELD, ROOT, STACK_FILE
from local.processes import LocalCloudError, end_on_sigterm
from stillmotion_cli.stack import Stack

LOCK = HELD / "local.lock"
LOG = HELD / "local.log"
START_TIMEOUT = 400
STOP_TIMEOUT = 30
INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """`start`, `stop`, or `supervise` for the process in the background."""
    actions = {"start": start, "stop": stop, "supervise": supervise}
    if len(arguments) != 1 or arguments[0] not in actions:
        print("usage: python -m local.serve start|stop", file=sys.stderr)
        return 2
    try:
        HELD.mkdir(parents=True, exist_ok=True)
        return actions[arguments[0]]()
    except LocalCloudError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def start() -> int:
    """Start the supervisor, pass on its messages, and return when the cloud is ready."""
    if _holder():
        _say_already_running()
        return 0
    end_on_sigterm()
    chosen_catalogue()
    STACK_FILE.unlink(missing_ok=True)
    LOG.write_text("")
    with LOG.open("a") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "local.serve", "supervise"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _follow(supervisor)
    except KeyboardInterrupt:
        _abandon(supervisor)
        print("\nStopped. What was started so far is being ended in the background.", file=sys.stderr)
        raise
    except BaseException:
        _abandon(supervisor)
        with suppress(subprocess.TimeoutExpired):
            # Reaped here: a child that nothing waits for would count as alive.
            supervisor.wait(STOP_TIMEOUT)
        if _holder():
            stop()
        raise
    _print_what_to_try(Stack.from_file(STACK_FILE))
    return 0


def supervise() -> int:
    """Hold the local cloud until SIGTERM."""
    end_on_sigterm()
    with _locked() as lock:
        STACK_FILE.unlink(missing_ok=True)
        try:
            with (
                LocalCloud("local", catalogue=chosen_catalogue(), say=lambda text: print(text, flush=True)) as cloud,
                kept_log(cloud.stack) as stack,
            ):
                _write(lock, [os.getpid(), *cloud.process_groups])
                part = STACK_FILE.with_suffix(".part")
                part.unlink(missing_ok=True)
                part.touch(mode=0o600)  # the terminal trusts no file that others may write
                part.write_text(stack.to_json())
                part.replace(STACK_FILE)
                while True:
                    signal.pause()
        finally:
            STACK_FILE.unlink(missing_ok=True)


def stop() -> int:
    """End the supervisor and everything it started; wait until that is done."""
    holder = _holder()
    if not holder:
        STACK_FILE.unlink(missing_ok=True)
        print("No local cloud is running.")
        return 0
    with suppress(ProcessLookupError):
        os.kill(holder[0], signal.SIGTERM)
    if not _wait_until_gone(holder[0], STOP_TIMEOUT):
        with suppress(ProcessLookupError):
            os.kill(holder[0], signal.SIGKILL)
        for group in holder[1:]:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        STACK_FILE.unlink(missing_ok=True)
    print("The local cloud is stopped.")
    return 0


def _abandon(supervisor: "subprocess.Popen[bytes]") -> None:
    """Tell a supervisor to end, whether or not it holds the lock yet; it ends what it has started."""
    with suppress(ProcessLookupError):
        supervisor.send_signal(signal.SIGTERM)


def _follow(supervisor: "subprocess.Popen[bytes]") -> None:
    """Print the supervisor's lines until the stack is there."""
    deadline = time.monotonic() + START_TIMEOUT
    with LOG.open() as log:
        while not STACK_FILE.exists():
            print(log.read(), end="", flush=True)
            if supervisor.poll() is not None:
                raise LocalCloudError(log.read() + "The local cloud did not start.")
            if time.monotonic() > deadline:
                raise LocalCloudError(f"The local cloud was not ready after {START_TIMEOUT} s. Its log: {LOG}")
            time.sleep(0.1)
        print(log.read(), end="")


def _say_already_running() -> None:
    if STACK_FILE.exists():
        stack = Stack.from_file(STACK_FILE)
        print(f"The local cloud is already running: {stack.api_url}\nEnd it with: make local-stop")
    else:
        print("The local cloud is starting already. End it with: make local-stop")


def _print_what_to_try(stack: Stack) -> None:
    body = json.dumps({"model": "google/veo-3.1-lite", "prompt": "A slow zoom", "duration": 4})
    print(f"""
The local cloud is running; make local-stop ends it. Its addresses: {os.path.relpath(STACK_FILE)}

Try:
  .venv/bin/stillmotion generate local/assets/sample.jpg --prompt "A slow zoom"
  .venv/bin/stillmotion list
  curl --aws-sigv4 "aws:amz:{stack.region}:execute-api" --user test:test \\
    -H 'Content-Type: application/json' -d '{body}' {stack.api_url}/videos
  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test .venv/bin/aws --region {stack.region} \\
    --endpoint-url {stack.endpoint_url} s3 ls s3://{stack.output_bucket} --recursive""")


@contextmanager
def _locked() -> Iterator[IO[str]]:
    """Hold the lock file, with our process id in it."""
    with LOCK.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalCloudError("The local cloud is already running. End it with: make local-stop") from error
        _write(lock, [os.getpid()])
        try:
            yield lock
        finally:
            _write(lock, [])


def _write(lock: IO[str], process_ids: list[int]) -> None:
    lock.seek(0)
    lock.truncate()
    json.dump(process_ids, lock)
    lock.flush()


def _holder() -> list[int]:
    """The supervisor's process id and the process groups it started; empty when none runs."""
    if not LOCK.exists():
        return []
    with LOCK.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with suppress(ValueError):
                return [int(pid) for pid in json.loads(lock.read())]
        return []


def _wait_until_gone(process_id: int, timeout: float) -> bool:
    """Whether the supervisor has let go of the lock and ended within the time."""
    deadline = time.monotonic() + timeout
    while _holder() or _is_alive(process_id):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
