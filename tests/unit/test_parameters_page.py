"""The tables of docs/parameters.md say what the template says."""

from __future__ import annotations

import re

from tests.support.template import ROOT, template

PAGE = (ROOT / "docs" / "parameters.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    table = PAGE.partition(f"\n## {heading}\n")[2].partition("\n|---")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in re.split(r" \| ", line.strip("|"))] for line in table.splitlines()[1:]]


def test_the_page_gives_every_parameter_its_default_and_description() -> None:
    listed = {name.strip("`"): (default, told) for name, default, told in rows("Parameters")}
    declared = template()["Parameters"]
    wanted = {
        name: (f"`{found['Default']}`" if found["Default"] != "" else "empty", found["Description"])
        for name, found in declared.items()
    }
    assert listed == wanted
    assert len(rows("Parameters")) == len(declared)


def test_the_page_lists_every_output_and_what_it_is_exported_as() -> None:
    listed = {name.strip("`"): (told, export.strip("`")) for name, told, export in rows("Outputs")}
    exports = {
        name: found.get("Export", {}).get("Name", {}).get("Fn::Sub", "").replace("${AWS::StackName}", "<stack name>")
        for name, found in template()["Outputs"].items()
    }
    assert listed == {name: (template()["Outputs"][name]["Description"], export) for name, export in exports.items()}


def test_the_readme_links_to_the_page() -> None:
    assert "(docs/parameters.md)" in (ROOT / "README.md").read_text()
