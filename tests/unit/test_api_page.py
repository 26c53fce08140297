"""The tables of docs/api.md say what the code says."""

from __future__ import annotations

import json
import re
from typing import get_args

from stillmotion.batches.record import BatchStatus
from stillmotion.errors import ERRORS, ProviderError, Refused, SubmitInProgress
from stillmotion.requests.media_types import UploadType
from tests.support.template import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text()
ROW = re.compile(r"^\| (?P<status>\d{3}) \| (?P<codes>(?:`\w+` ?)+)\|", re.MULTILINE)
# Of the HTTP layer itself, not of the tree of errors.
OTHERS = {"UnsupportedMediaType"}


def test_the_page_gives_every_error_its_status() -> None:
    told = {code: int(row["status"]) for row in ROW.finditer(PAGE) for code in re.findall(r"`(\w+)`", row["codes"])}
    known = {code: kind.http_status for code, kind in ERRORS.items()}
    assert {code: known[code] for code in told if code not in OTHERS} == {
        code: status for code, status in told.items() if code not in OTHERS
    }
    answered = {
        code
        for code, kind in ERRORS.items()
        if issubclass(kind, (Refused, ProviderError)) and not kind.__subclasses__() and kind is not SubmitInProgress
    }
    assert answered <= set(told)


def test_the_page_lists_every_route() -> None:
    document = json.loads((ROOT / "functions" / "docs" / "openapi.json").read_text())
    routes = {f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations}
    listed = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`?]*)`", PAGE))
    assert listed == routes


def test_the_page_names_every_type_that_may_be_uploaded() -> None:
    named = re.search(r"`content_type` is one of (.*?)\.\n", PAGE, re.DOTALL)
    assert named is not None
    assert re.findall(r"`([^`]+)`", named[1]) == list(get_args(UploadType))


def test_the_page_names_every_state_of_a_batch() -> None:
    table = PAGE.partition("| `status` of a batch | means |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [str(status) for status in BatchStatus]
