"""The page about the stillmotion command, from its own definition."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

HEAD = """\
# The `stillmotion` command

`pip install ./cli`. It talks to the CloudFormation stack that `--stack-name` or `STILLMOTION_STACK` names, otherwise
to the local one that `make local` left running in this folder or above, otherwise to the one that `stillmotion use`
saved. Results go to standard output, messages to standard error; with `--json` the output is JSON alone, with
`--quiet` there are no messages but errors. `stillmotion --install-completion` lets the shell complete ids of jobs and
names of models.

"""
COMMON = ("as_json", "quiet", "stack_name", "profile", "region", "help")


def page() -> str:
    """The page's text."""
    from typer.main import get_command

    import stillmotion_cli.main  # noqa: F401 - registers the commands
    from stillmotion_cli.app import EPILOG, app

    # Typer brings its own copy of click, without types.
    group: Any = get_command(app)
    text = HEAD + " ".join(EPILOG.split()) + "\n"
    for name, command in sorted(group.commands.items()):
        text += f"\n## stillmotion {name}\n\n{_prose(command.help or '')}\n\n{_table(command)}"
    some = next(iter(group.commands.values()))
    text += "\n## Options of every command\n\n"
    return text + _rows(option for option in some.params if option.name in COMMON)


def _prose(text: str) -> str:
    """The help without its markup; examples as a block of code."""
    plain = re.sub(r"(?<!\\)\[/?[a-z]+\]", "", text).replace("\\[", "[")
    paragraphs = []
    for paragraph in plain.split("\n\n"):
        first, _, rest = paragraph.partition("\n")
        if first == "Examples:":
            lines = "\n".join(line.strip() for line in rest.splitlines())
            paragraphs.append(f"```sh\n{lines}\n```")
        else:
            paragraphs.append(" ".join(paragraph.split()))
    return "\n\n".join(paragraphs)


def _table(command: Any) -> str:
    return _rows(option for option in command.params if option.name not in COMMON)


def _rows(parameters: Iterator[Any]) -> str:
    rows = [_row(parameter) for parameter in parameters]
    return "".join(["| | | |\n|---|---|---|\n", *rows]) if rows else ""


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        names = " ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    else:
        names = f"`{(parameter.metavar or parameter.name or '').upper()}`"
    told = " ".join((getattr(parameter, "help", "") or "").split()).replace("|", "\\|")
    kind = "" if parameter.metavar is None or parameter.param_type_name != "option" else f"`{parameter.metavar}`"
    return f"| {names} | {kind} | {told} |\n"
