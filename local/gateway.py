"""Makes the local API answer refused calls as API Gateway does.

AWS reads an API's gateway responses from its definition. MiniStack supports them, but does not read them from there.
"""

from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse


def set_gateway_responses(apigateway: Any, built_template: Path, api_id: str, stage: str) -> None:
    """Put the gateway responses of the template into a deployed API, and deploy it again with them."""
    for kind, given in _declared(built_template).items():
        headers = given.get("ResponseParameters", {}).get("Headers", {})
        apigateway.put_gateway_response(
            restApiId=api_id,
            responseType=kind,
            responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers.items()},
            responseTemplates=dict(given.get("ResponseTemplates", {})),
            **({"statusCode": str(given["StatusCode"])} if "StatusCode" in given else {}),
        )
    apigateway.create_deployment(restApiId=api_id, stageName=stage)


def _declared(built_template: Path) -> dict[str, dict[str, Any]]:
    resources = yaml_parse(built_template.read_text())["Resources"].values()
    apis = [resource for resource in resources if resource["Type"] == "AWS::Serverless::Api"]
    return {kind: given for api in apis for kind, given in api["Properties"].get("GatewayResponses", {}).items()}
