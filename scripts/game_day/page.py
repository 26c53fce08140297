"""docs/runbook.md as a person at night uses it: the words it leaves open filled in, the commands run as written."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.generated import ROOT

PAGE = ROOT / "docs" / "runbook.md"
BLANKS = ("ID", "PROVIDER_ID", "EXECUTION_ARN", "BATCH_ID", "MANIFEST")
"""What a reader puts in by hand; ``vid_…`` in a pattern is the job's id too."""
TIMEOUT = 120
_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Runbook:
    """The page: what is set once, and the blocks of commands of each section, as they are written."""

    opening: str
    blocks: dict[str, list[str]]

    @classmethod
    def read(cls, text: str) -> Runbook:
        """Parse the page.

        Raises:
            ValueError: nothing is set before the first section.
        """
        blocks = {title: _BLOCK.findall(body) for title, body in _SECTION.findall(text)}
        opening = _BLOCK.search(text.partition("\n## ")[0])
        if opening is None:
            raise ValueError("docs/runbook.md sets nothing before its first section: there is no block of commands.")
        return cls(opening[1], blocks)

    def commands(self, alarm: str) -> list[str]:
        """The commands of an alarm's section, each a line."""
        return [line for block in self.blocks.get(alarm, ()) for line in block.splitlines() if line.strip()]


def filled(command: str, words: Mapping[str, str]) -> str:
    """The command with the words in capitals that it leaves open put in.

    Raises:
        KeyError: a word has nothing to put in.
    """
    said = command.replace("vid_…", words["ID"]) if "vid_…" in command else command
    return re.sub(rf"(?<![\w$/-])(?:{'|'.join(BLANKS)})(?![\w/])", lambda found: words[found[0]], said)


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that was run: as it is written, its exit code, and the end of what it said."""

    command: str
    code: int
    said: str


class Desk:
    """Where commands are run: a shell in a folder of its own, with the page's opening done for one stack."""

    def __init__(self, runbook: Runbook, stack_name: str, folder: Path, env: Mapping[str, str]) -> None:
        # `stillmotion` finds a local stack by its file; on AWS it would be named.
        own = re.sub(r"^export STACK=.*$", f"export STACK={stack_name}", runbook.opening, flags=re.MULTILINE)
        # The AWS CLI in its first version reads AWS_ENDPOINT_URL for every service but SQS.
        local = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }'
        self._opening = f"set -eo pipefail\n{local}\n{own}\n"
        self._folder = folder
        self._env = dict(env)
        folder.mkdir(parents=True, exist_ok=True)
        # `make` is typed in the checkout.
        (folder / "Makefile").write_text(f'%:\n\t@$(MAKE) -C "{ROOT}" $@\n')

    def run(self, command: str, words: Mapping[str, str]) -> Ran:
        """Run a command or a block of them; one that takes over two minutes is ended, with the code 124."""
        script = self._opening + filled(command, words)
        try:
            done = subprocess.run(
                ["/bin/bash", "-c", script],
                cwd=self._folder,
                env=self._env,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Ran(command, 124, f"no end after {TIMEOUT} s")
        return Ran(command, done.returncode, (done.stdout + done.stderr).strip())
