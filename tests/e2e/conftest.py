"""One local cloud for all end-to-end tests of a session."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from local.cloud import LocalCloud
from stillmotion_cli.stack import Stack
from tests.e2e.signing import Api
from tests.e2e.support import Caller, SimulatorControl

HERE = Path(__file__).parent
USER = "caller"
REST_SECONDS = 60


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """The local cloud of this session, deployed as a user deploys; the other tests' clouds come from a kept package."""
    with LocalCloud("e2e", seconds_to_ready=1, test_models=True, by_sam=True) as running:
        yield running


@pytest.fixture(scope="session")
def stack(cloud: LocalCloud) -> Stack:
    """The deployed stack."""
    return cloud.stack


@pytest.fixture(autouse=True)
def rest(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let what a test began come to its end, so that the next one counts only its own paid submits."""
    yield
    if "stack" not in request.fixturenames:
        return
    workflows = request.getfixturevalue("stack").client("stepfunctions")
    machines = [machine["stateMachineArn"] for machine in workflows.list_state_machines()["stateMachines"]]
    deadline = time.monotonic() + REST_SECONDS
    while time.monotonic() < deadline:
        if not any(
            workflows.list_executions(stateMachineArn=arn, statusFilter="RUNNING", maxResults=1)["executions"]
            for arn in machines
        ):
            return
        time.sleep(0.2)


@pytest.fixture(scope="session")
def caller(stack: Stack) -> Caller:
    """A caller of the stack."""
    return Caller(stack)


@pytest.fixture(scope="session")
def api(stack: Stack) -> Api:
    """The deployed API, called directly."""
    return Api(stack)


@pytest.fixture(scope="session")
def simulator(stack: Stack) -> SimulatorControl:
    """The simulated ModelGates."""
    assert stack.simulator_url
    return SimulatorControl(stack.simulator_url)


@pytest.fixture
def other_picture(tmp_path: Path) -> Path:
    """A picture unlike the sample, in another format and shape."""
    gradient = Image.linear_gradient("L").resize((900, 900))
    picture = Image.merge("RGB", (gradient, gradient.rotate(90), gradient.rotate(180)))
    path = tmp_path / "last.png"
    picture.save(path)
    return path


@pytest.fixture
def user(stack: Stack) -> Iterator[Callable[..., tuple[str, str]]]:
    """Makes an IAM user that may do one thing with the API; answers its access key and secret."""
    iam, made = stack.client("iam"), []

    def make(action: str, name: str = USER) -> tuple[str, str]:
        iam.create_user(UserName=name)
        made.append(name)
        statement = {"Effect": "Allow", "Action": action, "Resource": "arn:aws:execute-api:*:*:*/v1/*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="api", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    yield make
    for name in made:
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="api")
        iam.delete_user(UserName=name)
