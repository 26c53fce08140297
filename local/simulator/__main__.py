"""Starts the simulator alone: `python -m local.simulator --port 8787`."""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from local.simulator.catalogue import RECORDED, Catalogue, CatalogueError
from local.simulator.core import Core
from local.simulator.made_up_models import offered
from local.simulator.server import Server
from local.simulator.settings import Settings, UnknownSettingError, changed

DEFAULT_PORT = 8787


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.simulator", description="ModelGates on this machine.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument(
        "--catalogue",
        type=Path,
        default=RECORDED,
        metavar="FILE",
        help="models to offer: a JSON file as GET /api/v1/videos/models answers (default: the recorded list)",
    )
    parser.add_argument("--test-models", action="store_true", help="offer made-up models as well, for tests")
    parser.add_argument("--api-key", help="key to accept (default: $MODELGATES_API_KEY, else mg-local-key)")
    parser.add_argument("--seconds-to-ready", type=float, help="seconds from submit to the finished clip")
    parser.add_argument("--seconds-pending", type=float, help="seconds that a job stays pending")
    parser.add_argument("--outputs", type=int, help="clips of each job")
    parser.add_argument("--clip", choices=("full", "tiny"), help="tiny: very small clips, for load tests")
    parser.add_argument("--signing-secret", help="sign webhooks with this secret")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=JSON", help="any other setting, as in --set ranges=false"
    )
    return parser.parse_args(argv)


def _settings(arguments: argparse.Namespace) -> Settings:
    """Make the settings from the command line and the environment; raises UnknownSettingError."""
    names = ("api_key", "seconds_to_ready", "seconds_pending", "outputs", "clip", "signing_secret")
    given: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    changes = {name: value for name, value in given.items() if value is not None}
    if key := os.environ.get("MODELGATES_API_KEY"):
        changes.setdefault("api_key", key)
    for pair in arguments.set:
        name, _, value = pair.partition("=")
        try:
            changes[name] = json.loads(value)
        except ValueError:
            changes[name] = value
    return changed(Settings(), changes)


async def _run(settings: Settings, models: Catalogue, host: str, port: int) -> None:
    server = Server(Core(settings, models))
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        await server.start(host, port)
        print(f"ModelGates simulator ready on {server.url}", flush=True)
        await ended.wait()
    finally:
        await server.stop()


def main(argv: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; return the exit status."""
    arguments = _arguments(argv)
    try:
        settings = _settings(arguments)
        models = offered(arguments.catalogue, test_models=arguments.test_models)
        asyncio.run(_run(settings, models, arguments.host, arguments.port))
    except (CatalogueError, UnknownSettingError, OSError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
