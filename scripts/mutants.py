"""Break the domain on purpose, one line at a time on a copy, and see that the fault suite notices.

``python -m scripts.mutants [WORDS]`` tries those whose names contain the words; without any, all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Mutant:
    """A text in one module of the domain, what stands there instead, and the cases of the fault suite to run."""

    name: str
    module: str
    text: str
    instead: str
    cases: str


MUTANTS = (
    Mutant(
        "a read time-out of the paid call counts as not accepted",
        "modelgates/client.py",
        'raise_outcome_unknown(f"the answer was lost ({type(error).__name__})")',
        'raise ProviderUnavailable("no answer") from None',
        "submit and accept_then_lose_reset",
    ),
    Mutant(
        "the claim on the paid call is written after it",
        "generation/submit.py",
        "            claimed = self._claiming.claim(job)\n"
        "            if claimed is not None:\n"
        "                return self._pay(claimed, body)\n",
        "            paid = self._provider.submit(body)\n"
        "            claimed = self._claiming.claim(job)\n"
        "            if claimed is not None:\n"
        "                return self._record(claimed, paid)\n",
        "SubmitTaskFunction",
    ),
    Mutant(
        "a record found in submitting is submitted again",
        "generation/submit.py",
        "            _refuse_to_repeat(job)\n",
        "            return self._pay(job, self._images.with_fetchable_urls(parse_request(job.request)).body())\n",
        "SubmitTaskFunction",
    ),
    Mutant(
        "the key is sent to any host that an address names",
        "modelgates/client.py",
        "return url if self._owns(url) else None",
        "return url",
        "foreign_addresses",
    ),
    Mutant(
        "a change of a record has no condition on its state",
        "jobs/store.py",
        """f"#status IN ({', '.join(states)})",""",
        """f"attribute_exists(id) OR #status IN ({', '.join(states)})",""",
        "test_races",
    ),
    Mutant(
        "the paid call ignores Retry-After",
        "generation/backoff.py",
        "max(backoff, error.retry_after or 0.0)",
        "backoff",
        "submit-429_with_retry_after",
    ),
    Mutant(
        "a failed delivery cannot be resumed",
        "jobs/record.py",
        "return self.status in (Status.TIMED_OUT, Status.SUBMIT_UNKNOWN) or failed_delivery or missed",
        "return self.status in (Status.TIMED_OUT, Status.SUBMIT_UNKNOWN)",
        "look-502-for_ever",
    ),
    Mutant(
        "an unknown status counts as failed",
        "modelgates/job.py",
        "_OUTCOMES.get(status.strip().lower(), Outcome.WAITING)",
        "_OUTCOMES.get(status.strip().lower(), Outcome.FAILED)",
        "unknown_status",
    ),
    Mutant(
        "the wake flag is never consumed",
        "generation/poll.py",
        "        return found.wakes\n",
        "        return seen\n",
        "leads_to_one_poll",
    ),
    Mutant(
        "a callback is answered with 204 before it is written",
        "generation/callback.py",
        "            return TRY_AGAIN\n",
        "            return RECEIVED\n",
        "needs_no_person and wake and refused",
    ),
    Mutant(
        "an id is taken over that ModelGates' answer does not contain",
        "generation/adopt.py",
        "if answer.named_id != provider_id:",
        "if answer.named_id is None:",
        "answer_does_not_contain",
    ),
    Mutant(
        "no marker is written with an id",
        "jobs/store.py",
        "yield Part(marking(self._table.name, provider_id, job_id), lambda: ProviderIdTaken(provider_id))",
        "pass",
        "another_job_has",
    ),
    Mutant(
        "a second claim pays although an id is there",
        "generation/submit.py",
        "            adopted = self._accepted_before(job)\n",
        "            adopted = None\n",
        "second_claim",
    ),
    Mutant(
        "callbacks make the time for confirming longer",
        "generation/poll.py",
        "return replace(self._confirm(job), wakes=wakes)",
        'longer = {} if wakes == seen_wakes else {"confirm_until": "9999-12-31T00:00:00.000Z"}\n'
        "            return replace(self._confirm(replace(job, **longer)), wakes=wakes)",
        "time_for_confirming",
    ),
)


def main() -> int:
    """Try every mutant that is asked for; 1 when one of them lives."""
    words = " ".join(sys.argv[1:])
    asked_for = [mutant for mutant in MUTANTS if words in mutant.name]
    if not asked_for:
        raise SystemExit(f"no mutant's name contains '{words}'; there are: {', '.join(one.name for one in MUTANTS)}")
    alive = [mutant.name for mutant in asked_for if not _noticed(mutant)]
    print(f"{len(asked_for) - len(alive)} of {len(asked_for)} mutants noticed")
    return 1 if alive else 0


def _noticed(mutant: Mutant) -> bool:
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder)
        for part in ("shared", "functions", "workflows", "tests", "local", "docs"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("template.yaml", "pyproject.toml"):
            shutil.copy(ROOT / part, copy / part)
        module = copy / "shared" / "stillmotion" / mutant.module
        source = module.read_text()
        if source.count(mutant.text) != 1:
            raise SystemExit(f"{mutant.module} no longer holds the text of the mutant '{mutant.name}' once")
        module.write_text(source.replace(mutant.text, mutant.instead))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/faults"]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        run = subprocess.run(
            [*command, "-k", mutant.cases],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
    # 1 is a failed test; anything else (nothing collected, an error of usage) proves nothing.
    print(f"{'noticed' if run.returncode == 1 else 'NOT NOTICED'}: {mutant.name}", flush=True)
    return run.returncode == 1


if __name__ == "__main__":
    sys.exit(main())
