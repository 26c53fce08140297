"""The examples as documents: what they name of the stack is there, and what can be compiled or synthesised is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tests.support.node import npm_run
from tests.support.template import ROOT, read_template, template

EXAMPLES = ROOT / "examples"
FOLDERS = sorted(path for path in EXAMPLES.iterdir() if path.is_dir())
TEMPLATES = sorted(EXAMPLES.glob("*/template.yaml"))
LOCKS = sorted(EXAMPLES.glob("*/package-lock.json"))
EXPORTS = {found["Export"]["Name"]["Fn::Sub"] for found in template()["Outputs"].values() if "Export" in found}


def named(document: Any, intrinsic: str) -> list[Any]:
    """Every value of an intrinsic function in a template."""
    if isinstance(document, dict):
        inner = [found for value in document.values() for found in named(value, intrinsic)]
        return [document[intrinsic], *inner] if intrinsic in document else inner
    return [found for value in document for found in named(value, intrinsic)] if isinstance(document, list) else []


def test_the_overview_lists_every_example_once() -> None:
    listed = re.findall(r"^\| \[`(\w+)/`\]\(\1/README\.md\) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [folder.name for folder in FOLDERS]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_example_names_the_tests_that_hold_it(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    tests = re.findall(r"`(tests/[\w/]+\.py)`", text.partition("\nHeld by ")[2])
    assert tests
    for name in tests:
        assert re.search(rf'[/"]{folder.name}[/"]', (ROOT / name).read_text()), name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_files_that_a_readme_links_to_exist(folder: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", (folder / "README.md").read_text()):
        assert (folder / link).exists(), link


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.parent.name)
def test_what_a_template_imports_is_exported(path: Path) -> None:
    for found in named(read_template(path), "Fn::ImportValue"):
        assert found["Fn::Sub"].replace("StillmotionStack", "AWS::StackName") in EXPORTS


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.parent.name)
def test_templates_name_no_partition_and_grant_no_wildcard(path: Path) -> None:
    text = path.read_text()
    assert "arn:aws" not in text
    assert not re.search(r"(Action|Resource): ['\"]?\*['\"]?$", text, re.MULTILINE)


def test_the_nested_stack_gives_and_reads_what_the_template_has() -> None:
    document = read_template(EXAMPLES / "nested" / "template.yaml")
    child = document["Resources"]["Stillmotion"]["Properties"]
    assert (EXAMPLES / "nested" / child["Location"]).resolve() == ROOT / "template.yaml"
    assert set(child["Parameters"]) <= set(template()["Parameters"])
    read = [name for name in named(document, "Fn::GetAtt") if name.startswith("Stillmotion.Outputs.")]
    assert {name.removeprefix("Stillmotion.Outputs.") for name in read} <= set(template()["Outputs"])
    assert len(read) == 4


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_lock_files_pin_by_hash_and_name_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in re.sub(r'"url": "https?://[^"]+"', "", text)  # the authors' funding pages
    packages = [found for name, found in json.loads(text)["packages"].items() if name]
    assert packages
    assert all("resolved" not in found for found in packages)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+\S*", found["version"]) for found in packages)
    assert all(found.get("inBundle") or found["integrity"].startswith("sha512-") for found in packages)


@pytest.mark.slow
def test_the_typescript_client_compiles_against_the_api_of_today() -> None:
    npm_run(EXAMPLES / "typescript", "build")
    text = (EXAMPLES / "typescript" / "src" / "api.d.ts").read_text()
    assert '"/videos/{id}/resume"' in text


def test_the_typescript_signer_repeats_nothing_by_itself() -> None:
    assert "retries: 0" in (EXAMPLES / "typescript" / "src" / "client.ts").read_text()


@pytest.mark.slow
def test_the_cdk_stack_is_synthesised_with_rule_and_nested_stack(tmp_path: Path) -> None:
    packaged = tmp_path / "packaged.yaml"
    packaged.write_text(json.dumps({"Resources": {}}))
    npm_run(EXAMPLES / "cdk", "synth", STILLMOTION_TEMPLATE=str(packaged), CDK_OUTDIR=str(tmp_path / "out"))
    made = json.loads((tmp_path / "out" / "Clips.template.json").read_text())["Resources"]
    [child] = [found["Properties"] for found in made.values() if found["Type"] == "AWS::CloudFormation::Stack"]
    assert child["Parameters"] == {"DailySpendLimitUsd": "20"}
    assert set(child["Parameters"]) <= set(template()["Parameters"])
    [rule] = [found["Properties"] for found in made.values() if found["Type"] == "AWS::Events::Rule"]
    assert rule["EventPattern"] == {"source": ["stillmotion"], "detail-type": ["Video Generation Completed"]}
    logical_id, attribute = rule["EventBusName"]["Fn::GetAtt"]
    assert made[logical_id]["Type"] == "AWS::CloudFormation::Stack"
    assert attribute.removeprefix("Outputs.") in template()["Outputs"]
    [target] = rule["Targets"]
    assert made[target["Arn"]["Fn::GetAtt"][0]]["Type"] == "AWS::SQS::Queue"


def terraform() -> dict[str, dict[str, Any]]:
    """The resources of the Terraform example by type and name, quotation marks removed."""
    with (EXAMPLES / "terraform" / "main.tf").open() as file:
        parsed = json.loads(json.dumps(hcl2.load(file)).replace('\\"', ""))  # type: ignore[attr-defined]
    return {
        kind: body[name]
        for block in parsed["resource"]
        for kind, body in block.items()
        for name in body
        if name[:2] != "__"
    }


@pytest.mark.slow
def test_terraform_gives_and_reads_what_the_template_has() -> None:
    stack = terraform()["aws_cloudformation_stack"]
    assert set(stack["parameters"]) <= set(template()["Parameters"])
    assert stack["capabilities"] == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    read = re.findall(r'stillmotion\.outputs\["(\w+)"\]', (EXAMPLES / "terraform" / "main.tf").read_text())
    assert set(read) == {"EventBusName", "ApiUrl", "ApiKeySecretArn"}
    assert set(read) <= set(template()["Outputs"])


def test_terraform_wires_a_rule_of_the_bus_to_its_queue() -> None:
    found = terraform()
    bus = found["aws_cloudwatch_event_rule"]["event_bus_name"]
    assert "aws_cloudformation_stack.stillmotion.outputs" in bus
    assert found["aws_cloudwatch_event_target"]["event_bus_name"] == bus
    assert "aws_sqs_queue.finished_clips.arn" in found["aws_cloudwatch_event_target"]["arn"]
    assert "aws_cloudwatch_event_rule.completed.arn" in found["aws_sqs_queue_policy"]["policy"]
