"""One DynamoDB table: reads, queries, and transactions that are tried again when writers meet."""

import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dicomweb.archive.s3_client import AGENT
from dicomweb.errors import ArchiveBusy, ArchiveRefused
from dicomweb.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
Key = tuple[str, str]
Write = dict[str, Any]  # one action of TransactWriteItems

TRANSACTION = 100  # items of a transaction; also the most keys of one BatchGetItem
_ATTEMPTS = 12
_LARGEST_PAGE = 4096  # items
_CONFLICTS = frozenset(
    {
        "TransactionCanceledException",
        "TransactionInProgressException",
        "TransactionConflictException",
        "ConditionalCheckFailedException",
    }
)
# Why a transaction may be cancelled and yet succeed when its rows are read again.
_PASSING = frozenset({"None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"})

_REFUSALS = frozenset({"ValidationException", "AccessDeniedException", "ResourceNotFoundException"})

T = TypeVar("T")


def attempts(otherwise: str) -> Iterator[None]:
    """One after another, for who reads and writes again where somebody else was faster.

    Raises:
        ArchiveBusy: with this message, when there have been enough.
    """
    for attempt in range(_ATTEMPTS):
        yield
        # Full jitter: writers of the same must not meet again and again.
        time.sleep(random.uniform(0, min(1.0, 0.02 * 2**attempt)))  # noqa: S311
    raise ArchiveBusy(otherwise)


class Table:
    """One table, whose keys are `pk` and `sk`."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._table = name

    @classmethod
    def connect(cls, settings: Settings) -> "Table":
        config = Config(
            connect_timeout=5,
            read_timeout=settings.HttpTimeout,
            retries={"mode": "standard", "total_max_attempts": 4},
            max_pool_connections=32,
            user_agent=AGENT,
        )
        return cls(boto3.client("dynamodb", config=config), settings.Table)

    def transact(self, plan: Callable[[], tuple[list[Write], T]]) -> T:
        """Write what plan() asks for, all or nothing; its second value.

        plan reads the rows it depends on and states what it read as conditions. It is called again when they no
        longer hold.

        Raises:
            ArchiveBusy: other writers kept getting in between.
        """
        for _ in attempts("other writers of the same study kept getting in between; try again"):
            writes, result = plan()
            if not writes:
                return result
            with suppress(_Conflict), _translated():
                self._client.transact_write_items(TransactItems=writes, ClientRequestToken=str(uuid.uuid4()))  # type: ignore[arg-type]
                return result
        raise AssertionError  # attempts ends with an error

    def put_now(self, item: Item) -> None:
        """Write one item, apart from any transaction."""
        with _translated():
            self._client.put_item(TableName=self._table, Item=marshal(item))

    def put_if(self, item: Item, condition: str, values: Item | None = None) -> bool:
        """Write one item where a condition holds; whether it did."""
        named = {"ExpressionAttributeValues": marshal(values)} if values else {}
        try:
            with _translated():
                self._client.put_item(
                    TableName=self._table,
                    Item=marshal(item),
                    ConditionExpression=condition,
                    **named,  # type: ignore[arg-type]
                )
        except _Conflict:
            return False
        return True

    def delete_now(self, key: Key) -> None:
        """Remove one item, apart from any transaction."""
        with _translated():
            self._client.delete_item(TableName=self._table, Key=_marshal_key(key))

    def put(self, item: Item, condition: str, values: Item | None = None) -> Write:
        """An action that writes an item; condition "" for none."""
        write: dict[str, Any] = {"TableName": self._table, "Item": marshal(item)}
        if condition:
            write["ConditionExpression"] = condition
        if values:
            write["ExpressionAttributeValues"] = marshal(values)
        return {"Put": write}

    def update(self, key: Key, expression: str, values: Item, condition: str) -> Write:
        """An action that changes an item."""
        return {
            "Update": {
                "TableName": self._table,
                "Key": _marshal_key(key),
                "UpdateExpression": expression,
                "ConditionExpression": condition,
                "ExpressionAttributeValues": marshal(values),
            }
        }

    def delete(self, key: Key, condition: str, values: Item) -> Write:
        """An action that removes an item."""
        write: dict[str, Any] = {"TableName": self._table, "Key": _marshal_key(key)}
        if condition:
            write["ConditionExpression"] = condition
        if values:
            write["ExpressionAttributeValues"] = marshal(values)
        return {"Delete": write}

    def get(self, key: Key) -> Item | None:
        """One item."""
        with _translated():
            answer = self._client.get_item(TableName=self._table, Key=_marshal_key(key), ConsistentRead=True)
        return _unmarshal(answer["Item"]) if "Item" in answer else None

    def batch_get(self, wanted: Iterable[Key], *, consistent: bool = True) -> dict[Key, Item]:
        """Items by key; those that do not exist are absent.

        Half the price without `consistent`: an item may then be as it was a moment ago.
        """
        found: dict[Key, Item] = {}
        left = [_marshal_key(key) for key in dict.fromkeys(wanted)]
        attempt = 0
        while left:
            request = {self._table: {"Keys": left[:TRANSACTION], "ConsistentRead": consistent}}
            with _translated():
                answer = self._client.batch_get_item(RequestItems=request)  # type: ignore[arg-type]
            for raw in answer["Responses"].get(self._table, ()):
                item = _unmarshal(raw)
                found[item["pk"], item["sk"]] = item
            unprocessed: Any = dict(answer.get("UnprocessedKeys", {})).get(self._table, {"Keys": []})["Keys"]
            left = unprocessed + left[TRANSACTION:]
            if unprocessed:
                attempt += 1
                if attempt == _ATTEMPTS:
                    raise ArchiveBusy("the index is throttled; try again")
                time.sleep(random.uniform(0, min(1.0, 0.05 * 2**attempt)))  # noqa: S311
        return found

    def query(
        self,
        partition: str,
        *,
        begins_with: str = "",
        between: tuple[str, str] | None = None,
        forward: bool = True,
        index: str = "",
        page: int = 0,
    ) -> Iterator[Item]:
        """The items of a partition by sort key, read page by page as they are taken.

        A page is a megabyte, or `page` items and twice as many each time: who takes few pays for few.
        An index is read by the attribute that it is named for, and is consistent only in a moment.
        """
        expression, values = f"{index or 'pk'} = :p", {":p": partition}
        if begins_with:
            expression += " AND begins_with(sk, :b)"
            values[":b"] = begins_with
        if between:
            expression += " AND sk BETWEEN :low AND :high"
            values |= {":low": between[0], ":high": between[1]}
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": expression,
            "ExpressionAttributeValues": marshal(values),
            "ScanIndexForward": forward,
            **({"IndexName": index} if index else {"ConsistentRead": True}),
        }
        while True:
            if page:
                request["Limit"] = page
                page = min(page * 2, _LARGEST_PAGE)
            with _translated():
                answer = self._client.query(**request)
            yield from (_unmarshal(raw) for raw in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def marshal(item: Item) -> dict[str, Any]:
    return {name: _serialize(value) for name, value in item.items()}


def _marshal_key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _unmarshal(item: Any) -> Item:
    return {name: _deserialize(value) for name, value in item.items()}


class _Conflict(Exception):
    """A transaction met another writer, or its conditions no longer hold."""


@contextmanager
def _translated() -> Iterator[None]:
    """Foreign errors become ours, once."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        reasons = {reason.get("Code", "None") for reason in error.response.get("CancellationReasons", ())}
        if code in _CONFLICTS and reasons <= _PASSING:
            raise _Conflict from error
        if code in _REFUSALS or code in _CONFLICTS:
            raise ArchiveRefused(f"the index refused it: {code}") from error
        raise ArchiveBusy(f"the index answered {code}") from error
    except BotoCoreError as error:
        raise ArchiveBusy(f"the index did not answer: {type(error).__name__}") from error
