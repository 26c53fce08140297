"""The mutants of the fault suite fit the code of today."""

from __future__ import annotations

import pytest

from scripts.mutants import MUTANTS, Mutant
from tests.support.template import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_breaks_stands_in_its_module_once(mutant: Mutant) -> None:
    code = (ROOT / "shared" / "stillmotion" / mutant.module).read_text()
    assert code.count(mutant.text) == 1
    assert mutant.text != mutant.instead
