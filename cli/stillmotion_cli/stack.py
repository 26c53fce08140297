"""One stack: its addresses and names, and the credentials that belong to it."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from stillmotion_cli.errors import NoStack
from stillmotion_cli.trust import is_loopback, read_own

_AWS_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 4, "mode": "standard"})


@dataclass(frozen=True, slots=True)
class Stack:
    """The addresses and names of one deployed Stillmotion stack; unknown ones are empty.

    `endpoint_url` is where AWS answers for a local cloud and None on AWS itself; `simulator_url` is the simulated
    ModelGates and None where the real one is used; `event_log_group` is None where the stack keeps no event log;
    `profile` is the named AWS profile to sign with.
    """

    api_url: str
    endpoint_url: str | None
    region: str
    input_bucket: str
    output_bucket: str
    event_bus_name: str
    state_machine_arn: str
    table_name: str
    simulator_url: str | None
    event_log_group: str | None = None
    profile: str | None = None

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read what `make local` wrote.

        Raises NoStack where it is no such description, others may have written it, or it names another machine.
        """
        try:
            values = json.loads(read_own(path))
            # The log of events is younger than the file's other entries.
            known = {"event_log_group": None} | {name: values[name] for name in values if name in _FILED}
            stack = cls(**known)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NoStack(
                f"{path} is not a description of a stack ({error}). Make a new one: make local-stop, then make local."
            ) from error
        addresses = [stack.api_url, stack.endpoint_url, *([stack.simulator_url] if stack.simulator_url else [])]
        foreign = [str(address)[:200] for address in addresses if not is_loopback(address)]
        if foreign:
            raise NoStack(
                f"{path} is not trusted: a local stack is on this machine, and {', '.join(foreign)} is not. Remove the "
                "file, or name a stack: --stack-name NAME."
            )
        return stack

    def to_json(self) -> str:
        """The text of .local/stack.json."""
        return json.dumps({name: value for name, value in asdict(self).items() if name in _FILED}, indent=2) + "\n"

    @property
    def is_local(self) -> bool:
        """Whether AWS is played by this very machine, so that real credentials have no business there."""
        return is_loopback(self.endpoint_url)

    def session(self) -> boto3.Session:
        """A session with the ordinary credential chain, or with dummy credentials for a local cloud."""
        if self.is_local:
            return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=self.region)  # noqa: S106
        return boto3.Session(profile_name=self.profile, region_name=self.region)

    def client(self, service: Any) -> Any:
        """A boto3 client of this stack, with bounded waits."""
        return self.session().client(service, endpoint_url=self.endpoint_url, config=_AWS_CONFIG)


_FILED = frozenset(field.name for field in fields(Stack)) - {"profile"}
