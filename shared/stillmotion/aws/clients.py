"""AWS clients for functions: botocore clients on the process's TLS context, and DynamoDB tables over one of them.

boto3's session and resources are not used: they load models and transfer code that nothing here calls, which takes
0.1 s of processor time.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.transform import TransformationInjector, copy_dynamodb_params
from botocore.httpsession import URLLib3Session
from botocore.session import Session

from stillmotion.outbound.tls import shared_context

if TYPE_CHECKING:
    from boto3.dynamodb.table import BatchWriter
    from botocore.config import Config


MODELS = Path(__file__).parents[2] / "aws_models"
"""Service models with our operations only, which lie beside this package in the layer: see shared/trim_models.py."""


def new_session() -> Session:
    """A session that reads the trimmed service models where there are any, else botocore's own."""
    session = Session()
    if MODELS.is_dir():
        given = session.get_config_variable("data_path")
        session.set_config_variable("data_path", os.pathsep.join(filter(None, (given, str(MODELS)))))
    return session


def new_client(session: Session, service: str, config: Config) -> Any:
    """A client; its endpoint is ``AWS_ENDPOINT_URL`` where that is set."""
    return with_shared_tls(session.create_client(service, config=config))


def with_shared_tls(client: Any) -> Any:
    """The client, opening its connections with the shared context.

    botocore has no setting for a context and loads its certificates anew for each connection. The Lambda runtime brings
    botocore in a version that AWS chooses: where its HTTP session is not of the class known here, the client is left
    unchanged. ``AWS_CA_BUNDLE`` still names the only certificates to trust.
    """
    http: Any = getattr(getattr(client, "_endpoint", None), "http_session", None)
    options: Any = getattr(getattr(http, "_manager", None), "connection_pool_kw", None)
    known = isinstance(http, URLLib3Session) and hasattr(http, "_setup_ssl_cert") and isinstance(options, dict)
    verify = getattr(http, "_verify", None)
    if known and (verify is True or isinstance(verify, str)) and client.meta.endpoint_url.startswith("https:"):
        context = shared_context(None if verify is True else verify)
        options["ssl_context"] = context
        http._get_ssl_context = lambda: context
        http._setup_ssl_cert = _leave_to_the_context
    return client


def _leave_to_the_context(pool: Any, url: str, verify: Any) -> None:
    pool.cert_reqs = "CERT_REQUIRED"


class DynamoTable:
    """One table: plain Python values in and out, conditions as ``boto3.dynamodb.conditions``, like boto3's resource.

    Args:
        client: changed to convert values, for all tables that share it.
    """

    def __init__(self, name: str, client: Any) -> None:
        self.name = name
        self.meta = SimpleNamespace(client=client)
        injector = TransformationInjector()
        for event, change in (
            ("provide-client-params.dynamodb", copy_dynamodb_params),
            ("before-parameter-build.dynamodb", injector.inject_condition_expressions),
            ("before-parameter-build.dynamodb", injector.inject_attribute_value_input),
            ("after-call.dynamodb", injector.inject_attribute_value_output),
        ):
            client.meta.events.register(event, change, unique_id=f"stillmotion-{change.__name__}")
        self.get_item = partial(client.get_item, TableName=name)
        self.put_item = partial(client.put_item, TableName=name)
        self.update_item = partial(client.update_item, TableName=name)
        self.query = partial(client.query, TableName=name)

    def batch_writer(self, overwrite_by_pkeys: list[str]) -> BatchWriter:
        """Writes in batches of 25; of items with the same values of these keys only the last is written."""
        from boto3.dynamodb.table import BatchWriter

        return BatchWriter(self.name, self.meta.client, overwrite_by_pkeys=overwrite_by_pkeys)
