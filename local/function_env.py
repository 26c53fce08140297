"""The deployed functions' environments, in the form that `sam local --env-vars` reads.

`sam local` deploys nothing, so there a reference to a table or a bucket is only its logical name. With `make local`
running, `python -m local.function_env > .local/function-env.json` gives the names of what is deployed.
"""

import json
import sys
from typing import Any

from local.deploy import STACK_NAME
from local.paths import STACK_FILE
from stillmotion_cli.errors import NoStack
from stillmotion_cli.stack import Stack


def function_environments(stack: Stack) -> dict[str, dict[str, Any]]:
    """The variables of every function, by the function's logical name in the template."""
    pages = stack.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    functions = stack.client("lambda")
    return {
        resource["LogicalResourceId"]: functions.get_function_configuration(
            FunctionName=resource["PhysicalResourceId"]
        )["Environment"]["Variables"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def main() -> int:
    """Print the JSON document."""
    try:
        if not STACK_FILE.exists():
            raise NoStack(f"There is no {STACK_FILE}. Start the local cloud first: make local")
        print(json.dumps(function_environments(Stack.from_file(STACK_FILE)), indent=2))
    except NoStack as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
