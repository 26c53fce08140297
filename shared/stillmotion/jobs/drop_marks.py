"""Which dropped content has its job already: an item of its own in the table of jobs, ``drop#{content}``.

Uploaders repeat puts whose answer they have not seen. A put of the same bytes and metadata soon after another is the
same job; the mark of the first says which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stillmotion.aws.errors import CONDITION_FAILED, storage_errors
from stillmotion.errors import StorageFailed
from stillmotion.ports import DropMark

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

KEY_PREFIX = "drop#"
KEPT_SECONDS = 86_400
_TRIES = 5


class DynamoDropMarks:
    """The items of marks: the :class:`~stillmotion.ports.DropMarks`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def mark(self, content: str, mark: DropMark, since: int) -> DropMark:
        free = "attribute_not_exists(id) OR job_id = :own OR put_at < :since"
        for _ in range(_TRIES):
            if self._put(content, mark, free, {":own": mark.job_id, ":since": since}):
                return mark
            there = self._find(content)
            if there is not None:
                return there
        raise StorageFailed("The mark of a dropped object changes all the time. Try again.")

    def replace(self, content: str, earlier: DropMark, mark: DropMark) -> bool:
        return self._put(content, mark, "job_id = :earlier", {":earlier": earlier.job_id})

    def _put(self, content: str, mark: DropMark, condition: str, values: dict[str, Any]) -> bool:
        item: dict[str, Any] = {"id": KEY_PREFIX + content, "job_id": mark.job_id, "refused_id": mark.refused_id}
        item |= {"put_at": mark.put_at, "marked_at": mark.marked_at, "expires_at": mark.marked_at + KEPT_SECONDS}
        try:
            with storage_errors("DynamoDB did not mark a dropped object"):
                self._table.put_item(Item=item, ConditionExpression=condition, ExpressionAttributeValues=values)
        except StorageFailed as error:
            if error.aws_code == CONDITION_FAILED:
                return False
            raise
        return True

    def _find(self, content: str) -> DropMark | None:
        with storage_errors("DynamoDB did not read the mark of a dropped object"):
            item: Any = self._table.get_item(Key={"id": KEY_PREFIX + content}, ConsistentRead=True).get("Item")
        if item is None:
            return None
        return DropMark(item["job_id"], item["refused_id"], int(item["put_at"]), int(item["marked_at"]))
