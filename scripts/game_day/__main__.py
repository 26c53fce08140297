"""Fire every alarm on a local cloud, read the mail, and follow the runbook.

    python -m scripts.game_day          all alarms and "Stop all spending now"
    python -m scripts.game_day Sweep    those whose names hold this word

Each alarm gets a point of its own metric that passes its threshold. Its message must come through the topic, the
commands of its section must run as they are written, and it must be off at the end. Exits 1 where anything of that
fails. On AWS an alarm is tried out with CloudWatch's ``set-alarm-state``; this script never leaves the machine.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from local import environment
from local.cloud import LocalCloud
from local.deploy import STACK_NAME
from local.paths import SAMPLE
from local.processes import end_on_sigterm
from scripts.game_day.alarms import JUST_INSIDE, Mailbox, end_all, fire, states
from scripts.game_day.page import PAGE, Desk, Ran, Runbook
from scripts.game_day.situation import Situation
from stillmotion_cli.stack import Stack

SPENDING = "Stop all spending now"
REFUSED_SUBMIT = "stillmotion generate {picture} --prompt stopped --no-wait"

type Say = Callable[[str], None]


def section_of(description: str) -> str:
    """The section that an alarm's description names, in lower case.

    Raises:
        ValueError: it names none.
    """
    found = re.search(r"Runbook: docs/runbook\.md#(\w+)$", description)
    if found is None:
        raise ValueError(f"The alarm's description names no section of docs/runbook.md: {description}")
    return found[1]


class GameDay:
    """One game day on one local stack."""

    def __init__(self, stack: Stack, runbook: Runbook, desk: Desk, words: dict[str, dict[str, str]], say: Say) -> None:
        self._cloudwatch = stack.client("cloudwatch")
        self._runbook = runbook
        self._desk = desk
        self._words = words
        self._say = say

    def alarms(self, word: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The alarms whose sections hold this word, by section."""
        titles = {title.lower(): title for title in self._runbook.blocks}
        for page in self._cloudwatch.get_paginator("describe_alarms").paginate():
            for alarm in page["MetricAlarms"]:
                title = titles[section_of(alarm["AlarmDescription"])]
                if word.lower() in title.lower():
                    yield title, alarm

    def fire(self, title: str, alarm: dict[str, Any], mailbox: Mailbox) -> list[str]:
        """Fire one alarm, follow its section, end it; what went wrong."""
        begun = time.monotonic()
        fire(alarm, self._cloudwatch)
        told = mailbox.wait_for(alarm["AlarmName"])
        wrong = [] if told else [f"{title}: nothing came through the topic"]
        self._say(f"{title}: {'told' if told else 'NOT TOLD'} after {time.monotonic() - begun:.1f} s")
        words = self._words.get(title, self._words[""])
        wrong += self._followed(title, (self._desk.run(one, words) for one in self._runbook.commands(title)))
        # The point has left the window by then, so that nothing sets the alarm on again.
        time.sleep(max(0.0, JUST_INSIDE + 0.5 - (time.monotonic() - begun)))
        end_all(self._cloudwatch, "game day")
        on = [name for name, state in states(self._cloudwatch).items() if state == "ALARM"]
        return wrong + [f"{title}: {name} is still on" for name in on]

    def stop_spending(self, picture: str) -> list[str]:
        """Stop all paid calls as the section says, see a submit refused, go back to normal, see one accepted."""
        by_limit, allow, stop, batches, back = self._runbook.blocks[SPENDING]
        submit = REFUSED_SUBMIT.format(picture=picture)
        return self._stopped([by_limit], allow, submit) + self._stopped([stop, batches], back, submit)

    def _stopped(self, stops: list[str], back: str, submit: str) -> list[str]:
        """Stop in one way, submit, go back, and submit again."""
        stopped = [self._desk.run(block, {}) for block in stops]
        refused = self._desk.run(submit, {})
        wrong = [] if refused.code else [f"{SPENDING}: a submit was accepted all the same"]
        self._say(f"{SPENDING}: a submit {'is refused' if refused.code else 'WAS ACCEPTED'}")
        again = [self._desk.run(one, {}) for one in (back, submit)]
        return wrong + self._followed(SPENDING, [*stopped, *again])

    def _followed(self, title: str, ran: Iterator[Ran] | list[Ran]) -> list[str]:
        wrong = []
        for one in ran:
            first = one.command.strip().splitlines()[0]
            self._say(f"    {'ok  ' if one.code == 0 else f'{one.code:<4}'}{first[:110]}")
            if one.code:
                wrong.append(f"{title}: {first}\n        {one.said[-600:]}")
        return wrong


def main() -> int:
    """Hold a game day; 1 where something did not go as the runbook says."""
    end_on_sigterm()
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    runbook = Runbook.read(PAGE.read_text())
    with LocalCloud("game-day", seconds_to_ready=1, overrides={"CreditsAlarmUsd": "5"}, say=_say) as cloud:
        wrong = _hold(cloud, runbook, word)
    for one in wrong:
        print(one, file=sys.stderr)
    print(f"{len(wrong)} faults" if wrong else "every alarm was told, followed and ended")
    return 1 if wrong else 0


def _hold(cloud: LocalCloud, runbook: Runbook, word: str) -> list[str]:
    stack = cloud.stack
    assert stack.endpoint_url is not None
    folder = cloud.folder / "desk"
    env = environment.desk(stack.endpoint_url, cloud.folder)
    desk = Desk(runbook, STACK_NAME, folder, env)
    (folder / ".local").mkdir()
    (folder / ".local" / "stack.json").write_text(stack.to_json())
    _say("making jobs for the commands to find: one that went well, one not stored, two whose answers are lost")
    day = GameDay(stack, runbook, desk, Situation(stack, folder).words(), _say)
    topic = stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]["Outputs"]
    [arn] = [output["OutputValue"] for output in topic if output["OutputKey"] == "AlarmTopicArn"]
    mailbox = Mailbox(arn, stack.client("sns"), stack.client("sqs"))
    try:
        chosen = list(day.alarms(word))
        wrong = [fault for title, alarm in chosen for fault in day.fire(title, alarm, mailbox)]
    finally:
        mailbox.close()
    if word.lower() in SPENDING.lower():
        wrong += day.stop_spending(str(SAMPLE))
    return wrong if chosen or word.lower() in SPENDING.lower() else [f"no alarm has '{word}' in its name"]


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
