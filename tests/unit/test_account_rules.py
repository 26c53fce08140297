"""What a bank asks first: each rule of an account is a parameter, off unless given, and whole where it is on."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.account_rules import BOUNDARY, KEY, RULES, VPC
from tests.support.cloudformation import deployed, deployed_resources
from tests.support.template import ROOT, resources, template

WHOLE = {"EnableCallback": "true"}
"""A stack with everything that is off by default and makes resources."""
PAGE = (ROOT / "docs" / "deploy.md").read_text()


def test_every_rule_is_off_by_default_and_changes_the_stack_where_it_is_on() -> None:
    plain = deployed(**WHOLE)
    said = json.dumps(plain)
    for word in (BOUNDARY, KEY, "VpcConfig", "PRIVATE", "AccessLogSetting", "VersioningConfiguration"):
        assert word not in said, word
    assert not [one for one in deployed_resources("AWS::Lambda::Function").values() if "ReservedConcurrent" in str(one)]
    for name, rule in RULES.items():
        assert deployed(**WHOLE, **rule) != plain, name


@pytest.mark.parametrize("name", RULES)
def test_no_rule_takes_a_resource_away(name: str) -> None:
    assert set(deployed(**WHOLE)) <= set(deployed(**WHOLE, **RULES[name]))


@pytest.mark.parametrize("alone", VPC)
def test_half_a_network_is_none_that_code_may_leave(alone: str) -> None:
    """Lambda refuses it; without a network at all the functions would run outside of what was asked for."""
    for found in deployed_resources("AWS::Lambda::Function", **{alone: VPC[alone]}).values():
        assert found["VpcConfig"]


def test_a_local_stack_has_no_network_whatever_is_given() -> None:
    local = {"AwsEndpointUrl": "http://127.0.0.1:4566"}
    [api] = deployed_resources("AWS::ApiGateway::RestApi", **local, **RULES["private api"]).values()
    assert "Policy" not in api
    assert not [
        one for one in deployed_resources("AWS::Lambda::Function", **local, **VPC).values() if "VpcConfig" in one
    ]


def test_the_group_of_the_parameters_is_what_the_page_explains() -> None:
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    [listed] = [group["Parameters"] for group in groups if group["Label"]["default"] == "Rules of the account"]
    assert {name for rule in RULES.values() for name in rule} == set(listed)
    section = PAGE.partition("## What a bank asks first")[2].partition("\n## ")[0]
    assert [name for name in listed if f"`{name}" not in section] == []


def test_every_role_is_bounded_those_that_sam_makes_included() -> None:
    roles = deployed_resources("AWS::IAM::Role", **WHOLE, PermissionsBoundaryArn=BOUNDARY)
    assert len(roles) > len(resources("AWS::Serverless::Function"))
    assert {name: role.get("PermissionsBoundary") for name, role in roles.items()} == dict.fromkeys(roles, BOUNDARY)


def test_every_function_runs_in_the_subnets_and_groups_given() -> None:
    for found in deployed_resources("AWS::Lambda::Function", **WHOLE, **VPC).values():
        assert found["VpcConfig"] == {
            "SubnetIds": ["subnet-0a1b2c3d", "subnet-1a1b2c3d"],
            "SecurityGroupIds": ["sg-0a1b2c3d"],
        }


def attached(policy: dict[str, Any]) -> set[str]:
    return {role["Ref"] for role in policy["Roles"]}


def function_roles(**values: str) -> set[str]:
    return {found["Role"]["Fn::GetAtt"][0] for found in deployed_resources("AWS::Lambda::Function", **values).values()}


@pytest.mark.parametrize("values", [{}, WHOLE, {"EnableInspection": "false"}, WHOLE | VPC], ids=str)
def test_no_functions_code_may_make_network_interfaces(values: dict[str, str]) -> None:
    policy = deployed_resources("AWS::IAM::Policy", **values)["NetworkPolicy"]
    assert attached(policy) == function_roles(**values)
    [statement] = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Deny", "*")
    assert "ec2:CreateNetworkInterface" in statement["Action"]
    # Lambda itself, which needs them, does not call on behalf of a function.
    [[key, arn]] = statement["Condition"]["ArnLike"].items()
    assert key == "lambda:SourceFunctionArn"
    assert arn["Fn::Sub"].endswith(":function:${AWS::StackName}-*")


def api(**values: str) -> dict[str, Any]:
    [found] = deployed_resources("AWS::ApiGateway::RestApi", **values).values()
    return found


def test_a_private_api_is_reached_through_its_endpoints_alone() -> None:
    endpoints = ["vpce-0a1b2c3d", "vpce-1a1b2c3d"]
    found = api(ApiVpcEndpointIds=",".join(endpoints))
    assert found["EndpointConfiguration"] == {"Types": ["PRIVATE"], "VpcEndpointIds": endpoints}
    allow, deny = found["Policy"]["Statement"]
    assert (deny["Effect"], deny["Principal"], deny["Resource"]) == ("Deny", "*", "execute-api:/*")
    assert deny["Condition"] == {"StringNotEquals": {"aws:SourceVpce": endpoints}}
    # The account's root stands for the account: who may call stays a matter of IAM.
    assert allow["Principal"]["AWS"]["Fn::Sub"] == "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"
    assert "Policy" not in api()
    assert api()["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


ENCRYPTED = {
    "AWS::S3::Bucket": ["BucketEncryption"],
    "AWS::DynamoDB::Table": ["SSESpecification"],
    "AWS::SecretsManager::Secret": ["KmsKeyId"],
    "AWS::Logs::LogGroup": ["KmsKeyId"],
    "AWS::SQS::Queue": ["KmsMasterKeyId"],
    "AWS::SNS::Topic": ["KmsMasterKeyId"],
    "AWS::Events::EventBus": ["KmsKeyIdentifier"],
    "AWS::Lambda::Function": ["KmsKeyArn"],
}
"""Every type of resource in the template that stores what passes through it, and the property that names its key."""


@pytest.mark.parametrize("kind", ENCRYPTED)
def test_all_that_is_stored_is_encrypted_with_the_key(kind: str) -> None:
    values = WHOLE | RULES["access logs"]
    for name, found in deployed_resources(kind, **values, KmsKeyArn=KEY).items():
        assert all(KEY in json.dumps(found[place]) for place in ENCRYPTED[kind]), name
    assert KEY not in json.dumps(deployed_resources(kind, **values))


def test_a_type_that_stores_something_is_not_forgotten() -> None:
    kinds = {one["Type"] for one in deployed(**WHOLE).values()}
    storing = {kind for kind in kinds if re.search(r"::(Bucket|Table|Secret|LogGroup|Queue|Topic|EventBus)$", kind)}
    assert storing <= set(ENCRYPTED)


def test_buckets_use_a_bucket_key_and_the_queue_one_kind_of_encryption() -> None:
    for found in deployed_resources("AWS::S3::Bucket", KmsKeyArn=KEY).values():
        [rule] = found["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
        assert rule["BucketKeyEnabled"] is True
    [queue] = deployed_resources("AWS::SQS::Queue", KmsKeyArn=KEY).values()
    assert "SqsManagedSseEnabled" not in queue
    [queue] = deployed_resources("AWS::SQS::Queue").values()
    assert queue["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("values", [{}, WHOLE], ids=str)
def test_roles_may_use_the_key_through_the_services_that_store(values: dict[str, str]) -> None:
    policies = deployed_resources("AWS::IAM::Policy", **values, KmsKeyArn=KEY)
    machines = {f"{name}Role" for name in resources("AWS::Serverless::StateMachine")}
    found = [policies["KeyPolicy"], policies["WorkflowKeyPolicy"]]
    assert [attached(policy) for policy in found] == [function_roles(**values), machines]
    for policy in found:
        [statement] = policy["PolicyDocument"]["Statement"]
        assert (statement["Action"], statement["Resource"]) == (["kms:Decrypt", "kms:GenerateDataKey"], KEY)
        through = statement["Condition"]["StringEquals"]["kms:ViaService"]
        services = {one["Fn::Sub"].partition(".")[0] for one in through}
        assert services == {"dynamodb", "s3", "secretsmanager", "sqs"}
        assert {one["Fn::Sub"].partition(".")[2] for one in through} == {"${AWS::Region}.${AWS::URLSuffix}"}
    assert not {"KeyPolicy", "WorkflowKeyPolicy"} & set(deployed(**values))


def test_publishers_may_encrypt_what_they_put() -> None:
    policy = deployed_resources("AWS::IAM::ManagedPolicy", KmsKeyArn=KEY)["PublisherPolicy"]
    [statement] = [one for one in policy["PolicyDocument"]["Statement"] if one["Sid"] == "EncryptSharedPictures"]
    assert (statement["Action"], statement["Resource"]) == ("kms:GenerateDataKey", KEY)


def test_access_logs_say_who_and_what_but_neither_bodies_nor_queries() -> None:
    [stage] = deployed_resources("AWS::ApiGateway::Stage", ApiAccessLogs="true").values()
    setting = stage["AccessLogSetting"]
    assert setting["DestinationArn"] == {"Fn::GetAtt": ["AccessLogGroup", "Arn"]}
    line = json.loads(setting["Format"])
    assert {"caller", "ip", "method", "path", "status", "request_id"} <= line.keys()
    assert not re.search(r"querystring|request\.|authorizer|body", setting["Format"].lower())
    assert "AccessLogGroup" not in deployed()


def test_old_versions_are_kept_for_as_long_as_is_said() -> None:
    for found in deployed_resources("AWS::S3::Bucket", ObjectVersionDays="30").values():
        assert found["VersioningConfiguration"] == {"Status": "Enabled"}
        rules = {rule["Id"]: rule for rule in found["LifecycleConfiguration"]["Rules"]}
        assert rules["versions-expire"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": "30"}


@pytest.mark.parametrize(("own", "callback"), [("0", "5"), ("2", "2")])
def test_every_function_reserves_its_share_and_the_callback_its_own(own: str, callback: str) -> None:
    values = WHOLE | {"ReservedConcurrency": "5", "CallbackReservedConcurrency": own}
    found = deployed_resources("AWS::Lambda::Function", **values)
    reserved = {name: one["ReservedConcurrentExecutions"] for name, one in found.items()}
    assert reserved == dict.fromkeys(found, "5") | {"CallbackFunction": callback}
