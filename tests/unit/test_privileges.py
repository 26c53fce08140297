"""The comparison of functions' calls with their roles, and what can be said of the roles without any call."""

from __future__ import annotations

import pytest

from tests.integration.privileges import NOT_SEEN, missing, unused
from tests.support.inprocess import HANDLERS
from tests.support.role_calls import Need
from tests.support.roles import Grant, grants, managed_policies

JOBS = "arn:aws:dynamodb:eu-central-1:123456789012:table/jobs"
WITHOUT_ARN = {"WakeExecutions"}
"""Statements whose action takes no ARN: the task's token is the permission."""


@pytest.mark.parametrize("function", HANDLERS)
def test_no_grant_is_for_everything(function: str) -> None:
    for grant in (each for each in grants(function) if not each.denies):
        assert "*" not in grant.action
        named = grant.resource.split(":", 5)[-1].removeprefix("execution:").removeprefix("table/")
        assert named[:1] not in ("*", "") or grant.sid in WITHOUT_ARN
    assert managed_policies(function) == []


def needed(action: str, resource: str, key: str = "", function: str = "ControlFunction") -> list[Need]:
    return missing({Need(function, action, resource, key)})


def test_what_a_role_allows_is_not_missing() -> None:
    assert needed("dynamodb:UpdateItem", JOBS) == []
    assert needed("s3:DeleteObjectVersion", "arn:aws:s3:::clips/videos/vid_1.mp4") == []
    assert needed("s3:ListBucketVersions", "arn:aws:s3:::pictures", "uploads/a/vid_1/") == []
    assert needed("states:StopExecution", "arn:aws:states:eu-central-1:123456789012:execution:generate-video:x") == []


@pytest.mark.parametrize(
    ("action", "resource", "key"),
    [
        ("dynamodb:PutItem", JOBS, ""),
        ("dynamodb:UpdateItem", f"{JOBS}-of-others", ""),
        ("dynamodb:Query", JOBS, ""),
        ("dynamodb:Query", f"{JOBS}/index/by_status", ""),
        ("s3:DeleteObject", "arn:aws:s3:::clips/batches/b/results.jsonl", ""),
        ("s3:DeleteObject", "arn:aws:s3:::pictures/shared/cat.png", ""),
        ("s3:DeleteObject", "arn:aws:s3:::others/videos/vid_1.mp4", ""),
        ("s3:ListBucketVersions", "arn:aws:s3:::clips", ""),
        ("s3:ListBucketVersions", "arn:aws:s3:::pictures", "shared/"),
        ("s3:GetObject", "arn:aws:s3:::clips/videos/vid_1.mp4", ""),
    ],
)
def test_what_a_role_does_not_allow_is_missing(action: str, resource: str, key: str) -> None:
    assert needed(action, resource, key) == [Need("ControlFunction", action, resource, key)]


def test_what_is_denied_is_missing_although_it_is_allowed() -> None:
    def read(key: str) -> list[Need]:
        return needed("s3:GetObject", f"arn:aws:s3:::pictures/{key}", function="SubmitTaskFunction")

    assert read("drop/a.png") == []
    assert len(read("videos/vid_1.mp4")) == 1


def test_the_public_function_writes_items_of_callbacks_only() -> None:
    def write(key: str) -> list[Need]:
        return needed("dynamodb:UpdateItem", JOBS, key, function="CallbackFunction")

    assert write("callback#vid_1") == []
    assert len(write("vid_1")) == 1


def test_a_grant_that_nobody_needs_is_found() -> None:
    left = unused(set())
    assert {function for function, _ in left} == {
        function for function in HANDLERS if not all(grant.denies for grant in grants(function))
    }
    wanted = Grant("ReadJobs", "dynamodb:GetItem", JOBS)
    assert ("JobsFunction", wanted) in left
    assert ("JobsFunction", wanted) not in unused({Need("JobsFunction", "dynamodb:GetItem", JOBS, "vid_1")})
    assert not {grant.action for _, grant in left} & set(NOT_SEEN)
