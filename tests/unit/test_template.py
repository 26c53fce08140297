"""Conventions of the template, as checks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from stillmotion import settings as settings_module
from stillmotion.generation.create import SUBMIT_SECONDS
from stillmotion.generation.submit import LEASE_SECONDS
from stillmotion.jobs.callbacks import KEY_PREFIX
from stillmotion.operations.reconcile import Swept
from stillmotion.settings import load
from stillmotion.storage.event_bus import COMPLETED, INSPECTION_REQUESTED, SOURCE
from tests.support.cloudformation import deployed_resources, expanded_resources
from tests.support.functions import handler_of, loaded_settings
from tests.support.inprocess import HANDLERS, VALUES
from tests.support.template import DEFINITION, ROOT, function_environment, resources, template

FUNCTIONS = resources("AWS::Serverless::Function")
API_FUNCTIONS = [
    name
    for name, found in FUNCTIONS.items()
    if any(event["Type"] == "Api" for event in found.get("Events", {}).values())
]
BUCKETS = resources("AWS::S3::Bucket")
PARAMETERS = template()["Parameters"]
GATEWAY_SECONDS = 29
AWS_METRICS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ("AWS::SQS::Queue", "QueueName"),
    ("AWS/Lambda", "Errors"): ("AWS::Serverless::Function", "FunctionName"),
    ("AWS/States", "ExecutionsTimedOut"): ("AWS::Serverless::StateMachine", "StateMachineArn"),
}
"""What an alarm on a metric of AWS is about, and the dimension that names it."""
WITHOUT_ARN = {"states:SendTaskSuccess"}
"""Actions that take no ARN; here a task's token is the permission (*Actions defined by AWS Step Functions*)."""


def walk(value: Any) -> Iterator[Any]:
    """Every value inside a value, itself first."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def statements(logical_id: str) -> list[dict[str, Any]]:
    """Every policy statement of a resource; who may take a role on is another matter."""
    found = {**template()["Resources"][logical_id].get("Properties", {}), "AssumeRolePolicyDocument": None}
    documents = [part for part in walk(found) if isinstance(part, dict)]
    given = [statement for part in documents for statement in part.get("Statement", ())]
    return [one["Fn::If"][1] if "Fn::If" in one else one for one in given]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_logs_into_the_stacks_one_group_which_has_no_fixed_name(function: str) -> None:
    assert "LoggingConfig" not in FUNCTIONS[function]
    assert template()["Globals"]["Function"]["LoggingConfig"] == {"LogGroup": {"Ref": "FunctionLogGroup"}}
    groups = resources("AWS::Logs::LogGroup")
    assert "LogGroupName" not in groups["FunctionLogGroup"]
    assert groups["FunctionLogGroup"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert set(groups) == {"FunctionLogGroup", "AccessLogGroup", "EventLogGroup"}


def test_the_event_log_takes_streams_without_and_events_with_a_source_arn() -> None:
    group = resources("AWS::Logs::LogGroup")["EventLogGroup"]
    assert group["LogGroupName"] == {"Fn::Sub": "/aws/events/${AWS::StackName}"}
    create, put = group["ResourcePolicyDocument"]["Statement"]
    assert (create["Action"], put["Action"]) == ("logs:CreateLogStream", "logs:PutLogEvents")
    assert "Condition" not in create
    assert list(put["Condition"]) == ["ArnLike"]
    assert put["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].endswith(":rule/${EventBus}/*")
    assert create["Principal"] == put["Principal"]
    assert resources("AWS::Logs::ResourcePolicy") == {}


@pytest.mark.parametrize(
    "path", [ROOT / "template.yaml", *(ROOT / "workflows").rglob("*.json")], ids=lambda path: path.name
)
def test_no_definition_names_a_partition(path: Path) -> None:
    lines = path.read_text().splitlines()
    text = "\n".join(line for line in lines if "Description:" not in line and "AllowedPattern:" not in line)
    assert "arn:aws" not in text
    if path.suffix == ".json":
        assert "arn:${Partition}:states:::" in text


@pytest.mark.parametrize("machine", resources("AWS::Serverless::StateMachine"))
def test_a_definition_gets_the_partition_it_is_deployed_in(machine: str) -> None:
    given = resources("AWS::Serverless::StateMachine")[machine]["DefinitionSubstitutions"]
    assert given["Partition"] == {"Ref": "AWS::Partition"}


def test_the_template_has_no_merge_keys() -> None:
    assert "<<:" not in (ROOT / "template.yaml").read_text()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_described_bounded_and_tested(function: str) -> None:
    assert FUNCTIONS[function]["Description"]
    assert 0 < FUNCTIONS[function]["Timeout"] <= 900
    assert HANDLERS[function] == handler_of(function)


def test_tests_know_every_function() -> None:
    assert set(HANDLERS) == set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_functions_environment_is_enough_for_the_settings_it_loads(function: str) -> None:
    environment = function_environment(function, VALUES)
    for name in loaded_settings(function):
        assert load(getattr(settings_module, name), environment)
    assert "AWS_ENDPOINT_URL" not in environment


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name != "DocsFunction"])
def test_a_function_loads_settings(function: str) -> None:
    assert loaded_settings(function)


@pytest.mark.parametrize("function", API_FUNCTIONS)
def test_a_function_behind_the_api_ends_before_the_gateway_gives_up(function: str) -> None:
    assert FUNCTIONS[function]["Timeout"] < GATEWAY_SECONDS


def test_a_claim_outlives_every_function_that_submits() -> None:
    for function in ("SubmitApiFunction", "SubmitTaskFunction"):
        assert SUBMIT_SECONDS < FUNCTIONS[function]["Timeout"] < LEASE_SECONDS


def test_the_default_is_sixty_polls_thirty_seconds_apart() -> None:
    assert PARAMETERS["PollIntervalSeconds"]["Default"] == 30
    assert PARAMETERS["MaxPollAttempts"]["Default"] == 60


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_described_grouped_and_has_a_default_and_limits(name: str) -> None:
    parameter = PARAMETERS[name]
    assert parameter["Description"].endswith((".", "*"))
    assert "Default" in parameter
    numbers = {"MinValue", "MaxValue"} <= parameter.keys()
    assert "AllowedValues" in parameter or (numbers if parameter["Type"] == "Number" else "AllowedPattern" in parameter)
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert [name in group["Parameters"] for group in groups].count(True) == 1


@pytest.mark.parametrize("name", template()["Outputs"])
def test_an_output_is_described(name: str) -> None:
    assert template()["Outputs"][name]["Description"]


@pytest.mark.parametrize("logical_id", template()["Resources"])
def test_a_policy_allows_named_actions_on_named_resources_only(logical_id: str) -> None:
    for statement in statements(logical_id):
        assert statement["Sid"]
        if statement["Effect"] == "Deny":
            continue
        assert not [action for action in listed(statement["Action"]) if "*" in action], statement
        if set(listed(statement["Action"])) <= WITHOUT_ARN:
            assert statement["Resource"] == "*"
            continue
        assert "*" not in listed(statement["Resource"]), statement
        for part in walk(statement["Resource"]):
            # What may end in a star is what lies below one resource of ours, or what a deployer lists.
            assert not isinstance(part, str) or not part.startswith(("arn:aws", "*")), statement
        assert statement.get("Principal") != "*", statement


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_policy_statement_is_ours_and_named(function: str) -> None:
    for policy in FUNCTIONS[function].get("Policies", ()):
        given = [one["Fn::If"][1] if "Fn::If" in one else one for one in policy["Statement"]]
        names = [statement["Sid"] for statement in given]
        assert len(names) == len(set(names))


def test_every_route_of_the_api_is_under_the_iam_authorizer() -> None:
    [api] = resources("AWS::Serverless::Api").values()
    assert api["Auth"]["DefaultAuthorizer"] == "AWS_IAM"
    assert api["Auth"]["InvokeRole"] == "NONE"
    for function in API_FUNCTIONS:
        for event in FUNCTIONS[function]["Events"].values():
            assert set(event["Properties"]) == {"RestApiId", "Path", "Method"}
            assert event["Properties"]["RestApiId"] == {"Ref": "Api"}


def test_the_api_throttles_and_answers_problem_documents_itself() -> None:
    [api] = resources("AWS::Serverless::Api").values()
    [everything] = api["MethodSettings"]
    assert (everything["ResourcePath"], everything["HttpMethod"]) == ("/*", "*")
    assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= everything.keys()
    for answer in api["GatewayResponses"].values():
        assert answer["ResponseParameters"]["Headers"]["Content-Type"] == "'application/problem+json'"
        [text] = answer["ResponseTemplates"].values()
        assert {'"type"', '"title"', '"code"', '"detail"'} <= set(re.findall(r'"\w+"(?=:)', text))
        # The status is known where one answer stands for one status.
        assert re.findall(r'"status":(\d+)', text) == [str(answer[name]) for name in ("StatusCode",) if name in answer]


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_private_encrypted_and_cleans_up_after_broken_uploads(bucket: str) -> None:
    found = BUCKETS[bucket]
    assert set(found["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(found["PublicAccessBlockConfiguration"]) == 4
    [encryption] = deployed_resources("AWS::S3::Bucket")[bucket]["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    found = deployed_resources("AWS::S3::Bucket")[bucket]
    rules = [rule for rule in found["LifecycleConfiguration"]["Rules"] if rule.get("Status") == "Enabled"]
    [abort] = [rule["AbortIncompleteMultipartUpload"] for rule in rules if "AbortIncompleteMultipartUpload" in rule]
    assert abort["DaysAfterInitiation"] <= 7
    policies = resources("AWS::S3::BucketPolicy").values()
    [policy] = [policy for policy in policies if policy["Bucket"] == {"Ref": bucket}]
    assert [statement["Sid"] for statement in policy["PolicyDocument"]["Statement"]] == ["TlsOnly"]


def test_videos_go_with_their_versions_where_their_days_are_limited() -> None:
    """In the bucket that they are in; none of the others' objects begin like them."""
    rule = {
        "Id": "videos-expire",
        "Status": "Enabled",
        "Prefix": "videos/",
        "ExpirationInDays": {"Ref": "VideoRetentionDays"},
        # S3 takes the shorter time of two rules: the days that versions are to be kept count for videos too.
        "NoncurrentVersionExpiration": {"NoncurrentDays": {"Fn::If": ["HasVersions", {"Ref": "ObjectVersionDays"}, 1]}},
    }
    limited = {"Fn::If": ["HasVideoRetention", rule, {"Ref": "AWS::NoValue"}]}
    assert limited in BUCKETS["OutputBucket"]["LifecycleConfiguration"]["Rules"]
    in_one = {"Fn::If": ["OneBucket", limited, {"Ref": "AWS::NoValue"}]}
    assert in_one in BUCKETS["InputBucket"]["LifecycleConfiguration"]["Rules"]
    condition = {"Fn::Not": [{"Fn::Equals": [{"Ref": "VideoRetentionDays"}, 0]}]}
    assert template()["Conditions"]["HasVideoRetention"] == condition
    assert template()["Parameters"]["VideoRetentionDays"]["Default"] == 0


@pytest.mark.parametrize("logical_id", [*BUCKETS, *resources("AWS::DynamoDB::Table")])
def test_what_holds_data_outlives_the_stack(logical_id: str) -> None:
    resource = template()["Resources"][logical_id]
    assert resource["UpdateReplacePolicy"] == "Retain"
    # What a failed first deployment made goes again.
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"


def test_the_table_forgets_in_time_and_can_be_brought_back() -> None:
    table = deployed_resources("AWS::DynamoDB::Table")["JobTable"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_the_processor_may_be_chosen_when_the_stack_is_deployed() -> None:
    layers = template()["Resources"]
    assert template()["Globals"]["Function"]["Architectures"] == [{"Ref": "Architecture"}]
    assert layers["DomainLayer"]["Properties"]["CompatibleArchitectures"] == ["arm64", "x86_64"]
    # The other layer of every function holds wheels that run anywhere.
    assert "CompatibleArchitectures" not in layers["TracingLayer"]["Properties"]
    assert "--platform any" in (ROOT / "layers" / "tracing" / "Makefile").read_text()


@pytest.mark.parametrize("folder", ["shared", "layers/tracing", "layers/inspection"])
def test_a_layers_packages_are_checked_and_its_bytecode_is_kept(folder: str) -> None:
    made = (ROOT / folder / "Makefile").read_text()
    for word in ("--require-hashes", "--only-binary=:all:", "--no-deps", "--no-compile", "unchecked-hash"):
        assert word in made, word
    found = {name for name, one in template()["Resources"].items() if one["Type"] == "AWS::Serverless::LayerVersion"}
    assert [template()["Resources"][name]["Metadata"] for name in found] == [{"BuildMethod": "makefile"}] * len(found)
    for file in (ROOT / folder).glob("requirements*.txt"):
        for pin in re.split(r"\n(?=\S)", file.read_text().strip()):
            assert "==" in pin.splitlines()[0]
            assert "--hash=sha256:" in pin, pin


def test_the_machine_may_call_only_what_its_definition_names() -> None:
    machine = resources("AWS::Serverless::StateMachine")["GenerateVideoStateMachine"]
    named = set(re.findall(r"\$\{(\w+)\}", DEFINITION.read_text()))
    given = machine["DefinitionSubstitutions"]
    assert set(given) == named
    statement, write = statements("GenerateVideoStateMachineRole")
    [own] = [one for one in statements("CallbackFunction") if one["Sid"] == "WriteCallbacks"]
    assert write == own
    called = [value for name, value in given.items() if name.endswith("FunctionArn")]
    assert sorted(map(str, statement["Resource"])) == sorted(map(str, called))


@pytest.mark.parametrize("rule", expanded_resources("AWS::Events::Rule"))
def test_an_event_that_cannot_be_delivered_is_retried_and_then_kept(rule: str) -> None:
    [target] = expanded_resources("AWS::Events::Rule")[rule]["Targets"]
    queue, _ = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"]
    assert resources("AWS::SQS::Queue")[queue]["MessageRetentionPeriod"] == 14 * 86400
    assert 0 < target["RetryPolicy"]["MaximumRetryAttempts"] <= 185
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 86400


def test_record_keepers_may_not_read_the_key_or_start_workflows() -> None:
    allowed = {action for one in statements("ExecutionEndedFunction") for action in listed(one["Action"])}
    assert allowed == {"dynamodb:GetItem", "dynamodb:UpdateItem", "events:PutEvents", "s3:PutObject"}


def test_the_queue_takes_what_every_rule_could_not_deliver() -> None:
    # EventBridge drops an event without an error where the queue's policy does not name the event's rule.
    rules = expanded_resources("AWS::Events::Rule")
    [policy] = expanded_resources("AWS::SQS::QueuePolicy").values()
    assert policy["Queues"] == [{"Ref": "UndeliveredQueue"}]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    arns = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    # A rule that is there under a condition is named under the same.
    allowed = [arn["Fn::If"][1]["Fn::GetAtt"] if "Fn::If" in arn else arn["Fn::GetAtt"] for arn in arns]
    assert sorted(allowed) == sorted([rule, "Arn"] for rule in rules)
    for rule in rules.values():
        assert rule["Targets"][0]["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}


def test_rules_of_functions_and_workflows_are_their_own_events() -> None:
    assert set(resources("AWS::Events::Rule")) == {"EventLogRule"}  # its target is a log group
    own = [*FUNCTIONS.values(), *resources("AWS::Serverless::StateMachine").values()]
    events = [event for found in own for event in found.get("Events", {}).values() if event["Type"] != "Api"]
    assert len(events) == len(expanded_resources("AWS::Events::Rule")) - 1


def test_events_of_aws_are_heard_where_nobody_can_forge_them() -> None:
    """On the account's default bus: PutEvents takes no source that begins with ``aws.``."""
    own = [*FUNCTIONS.values(), *resources("AWS::Serverless::StateMachine").values()]
    rules = [event["Properties"] for found in own for event in found.get("Events", {}).values()]
    of_aws = [rule for rule in rules if str(rule.get("Pattern", {}).get("source", [""])[0]).startswith("aws.")]
    assert len(of_aws) == 3
    assert not [rule for rule in of_aws if "EventBusName" in rule]


def test_the_event_log_holds_our_events_and_no_callers_requests() -> None:
    rules = resources("AWS::Events::Rule").values()
    [log] = [rule for rule in rules if "log-group" in str(rule["Targets"])]
    assert log["EventPattern"] == {"source": [SOURCE]}


@pytest.mark.parametrize("role", expanded_resources("AWS::IAM::Role"))
def test_a_role_is_taken_on_by_one_service(role: str) -> None:
    [statement] = expanded_resources("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
    [(kind, services)] = statement["Principal"].items()
    assert kind == "Service"
    assert len(listed(services)) == 1


@pytest.mark.parametrize("role", expanded_resources("AWS::IAM::Role"))
def test_a_service_takes_a_role_on_for_this_account_only(role: str) -> None:
    """Roles of rules are SAM's own, which takes no trust for them; each may start one machine and nothing else."""
    rules = {name for name, found in expanded_resources("AWS::Events::Rule").items() if "RoleArn" in str(found)}
    [statement] = expanded_resources("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
    if role.removesuffix("Role") in rules:
        assert listed(statement["Principal"]["Service"]) == ["events.amazonaws.com"]
        return
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_what_a_service_may_do_with_a_resource_is_for_this_account() -> None:
    """By the ARNs of its sources, which name it; EventBridge makes streams without telling for whom."""
    documents = [*resources("AWS::SQS::QueuePolicy").values(), *resources("AWS::Logs::LogGroup").values()]
    for statement in [one for document in documents for part in walk(document) for one in _statements_of(part)]:
        if statement["Sid"] == "CreateStreams":
            assert "Condition" not in statement
            continue
        [(operator, condition)] = statement["Condition"].items()
        assert operator in ("ArnEquals", "ArnLike")
        for arn in listed(condition["aws:SourceArn"]):
            shown = str(arn)
            assert "Fn::GetAtt" in shown or "${AWS::AccountId}" in shown, shown
    for name, permission in expanded_resources("AWS::Lambda::Permission").items():
        if permission["Principal"] == "*":
            assert name.startswith("CallbackFunction")  # the public address
            continue
        source = str(permission["SourceArn"])
        assert "${AWS::AccountId}" in source or "Fn::GetAtt" in source


def _statements_of(part: Any) -> list[dict[str, Any]]:
    return list(part.get("Statement", ())) if isinstance(part, dict) else []


def test_a_rules_role_may_start_one_state_machine_and_nothing_else() -> None:
    machines = set(resources("AWS::Serverless::StateMachine"))
    for rule, found in expanded_resources("AWS::Events::Rule").items():
        if (role := found["Targets"][0].get("RoleArn")) is None:
            continue
        [policy] = expanded_resources("AWS::IAM::Role")[role["Fn::GetAtt"][0]]["Policies"]
        [statement] = policy["PolicyDocument"]["Statement"]
        [machine] = [name for name in machines if rule.startswith(name)]
        assert (statement["Action"], statement["Resource"]) == ("states:StartExecution", {"Ref": machine})


def test_a_statements_name_always_means_the_same() -> None:
    named: dict[str, Any] = {}
    for logical_id, found in template()["Resources"].items():
        if found["Type"] == "AWS::S3::BucketPolicy":
            continue  # one statement for each bucket
        for statement in statements(logical_id):
            assert named.setdefault(statement["Sid"], statement) == statement, logical_id


@pytest.mark.parametrize("alarm", resources("AWS::CloudWatch::Alarm"))
def test_an_alarm_watches_an_emitted_metric_and_notifies(alarm: str) -> None:
    found = resources("AWS::CloudWatch::Alarm")[alarm]
    assert found["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert found["AlarmDescription"]
    assert found["TreatMissingData"] == "notBreaching"
    [dimension] = found["Dimensions"]
    if found["Namespace"] == "Stillmotion":
        assert dimension == {"Name": "service", "Value": {"Ref": "AWS::StackName"}}
        sources = "".join(path.read_text() for path in (ROOT / "shared" / "stillmotion").rglob("*.py"))
        # Counted without dimensions of its own, else the alarm would look at another metric.
        counted = set(re.findall(r'count\("(\w+)"(?:, float\(\w+\), "None")?\)', sources))
        if 'count(f"Sweep{what.capitalize()}", done[what])' in sources:
            counted |= {f"Sweep{field.name.capitalize()}" for field in fields(Swept)}
        assert found["MetricName"] in counted
    elif found["Namespace"] == "AWS/ApiGateway":
        # SAM calls an API without a name of its own like the stack.
        [api] = expanded_resources("AWS::ApiGateway::RestApi").values()
        assert api["Body"]["info"]["title"] == dimension["Value"] == {"Ref": "AWS::StackName"}
        assert (dimension["Name"], found["MetricName"]) == ("ApiName", "5XXError")
    else:
        kind, attribute = AWS_METRICS[found["Namespace"], found["MetricName"]]
        logical_id = dimension["Value"].get("Ref") or dimension["Value"]["Fn::GetAtt"].partition(".")[0]
        assert (dimension["Name"], template()["Resources"][logical_id]["Type"]) == (attribute, kind)


def test_what_is_public_writes_items_of_callbacks_only() -> None:
    function = FUNCTIONS["CallbackFunction"]
    assert function["FunctionUrlConfig"] == {"AuthType": "NONE"}
    found = {one["Sid"]: one for one in statements("CallbackFunction")}
    assert set(found) == {"WriteCallbacks", "ReadCallbackSecret", "ReadSigningSecret"}
    assert found["WriteCallbacks"]["Action"] == "dynamodb:UpdateItem"
    assert found["WriteCallbacks"]["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{KEY_PREFIX}*"]}
    }
    [wake] = statements("CallbackWakePolicy")
    assert wake["Action"] == "states:SendTaskSuccess"


def test_the_public_address_exists_only_where_callbacks_are_on() -> None:
    assert PARAMETERS["EnableCallback"]["Default"] == "false"
    for name in ("CallbackFunction", "CallbackWakePolicy", "CallbackSecret"):
        assert template()["Resources"][name]["Condition"] == "HasCallback"
    permissions = {
        one["Action"]: one
        for name, one in expanded_resources("AWS::Lambda::Permission").items()
        if name.startswith("CallbackFunction")
    }
    assert set(permissions) == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    for function in ("SubmitApiFunction", "SubmitTaskFunction"):
        variables = function_environment(function, VALUES)
        assert (variables["CALLBACK_URL"], variables["CALLBACK_SECRET_ARN"]) == ("", "")
        variables = function_environment(function, VALUES | {"EnableCallback": "true"})
        assert variables["CALLBACK_URL"] == VALUES["CallbackFunctionUrl"]


def test_alarms_watch_both_workflows_and_asynchronous_functions() -> None:
    watched = {(one["MetricName"], str(one["Dimensions"])) for one in resources("AWS::CloudWatch::Alarm").values()}
    machines = resources("AWS::Serverless::StateMachine")
    for metric, dimension, names in (
        ("ExecutionsTimedOut", "StateMachineArn", machines),
        ("Errors", "FunctionName", [name for name, found in FUNCTIONS.items() if "EventInvokeConfig" in found]),
    ):
        for name in names:
            assert (metric, str([{"Name": dimension, "Value": {"Ref": name}}])) in watched


def test_pyav_is_in_a_layer_of_the_one_function_that_looks_into_clips() -> None:
    layer = resources("AWS::Serverless::LayerVersion")["InspectionLayer"]
    users = [name for name, found in FUNCTIONS.items() if {"Ref": "InspectionLayer"} in found.get("Layers", ())]
    assert users == ["InspectFunction"]
    # For one processor, whatever the others run on: two of them would be too large.
    processor = [{"Fn::If": ["IsLocal", {"Ref": "Architecture"}, "arm64"]}]
    assert layer["CompatibleArchitectures"] == FUNCTIONS["InspectFunction"]["Architectures"] == processor
    made = (ROOT / "layers" / "inspection" / "Makefile").read_text()
    assert "--require-hashes" in made
    assert "manylinux_2_28_aarch64" in made
    assert "INSPECTION_PLATFORM ?= aws" in made


def test_the_trimmed_models_are_those_of_the_tested_sdk() -> None:
    def pin(name: str) -> list[str]:
        return re.findall(r"^botocore==([\w.]+)", (ROOT / name).read_text(), re.MULTILINE)

    assert pin("shared/requirements-models.txt") == pin("requirements-dev.txt") != []


@pytest.mark.parametrize("package", ["av", "pillow", "pydantic-core"])
def test_the_inspection_layer_holds_the_tested_versions(package: str) -> None:
    def pin(name: str) -> list[str]:
        return re.findall(rf"^{package}==([\w.]+)", (ROOT / name).read_text(), re.MULTILINE)

    assert pin("layers/inspection/requirements.txt") == pin("requirements-dev.txt") != []


def test_delivered_videos_are_inspected_unless_that_is_switched_off() -> None:
    conditional = {name for name, found in template()["Resources"].items() if found.get("Condition") == "HasInspection"}
    assert conditional == {"InspectionLayer", "InspectFunction", "InspectErrorsAlarm"}
    [event] = FUNCTIONS["InspectFunction"]["Events"].values()
    pattern = {"source": [SOURCE], "detail-type": [COMPLETED, INSPECTION_REQUESTED]}
    assert event["Properties"]["Pattern"] == pattern
    assert event["Properties"]["EventBusName"] == {"Ref": "EventBus"}
    assert PARAMETERS["EnableInspection"]["Default"] == "true"


def test_an_inspection_writes_pictures_and_notes_and_overwrites_no_video() -> None:
    writing = [one for one in statements("InspectFunction") if "s3:PutObject" in listed(one["Action"])]
    written = [part["Fn::Sub"][0] for one in writing for part in listed(one["Resource"])]
    assert sorted(address.rpartition("/")[2] for address in written) == ["*.jpg", "*.json", "*.webp"]
    assert all("/videos/" in address for address in written)
