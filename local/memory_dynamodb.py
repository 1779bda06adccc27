"""DynamoDB in memory, as much of it as our index uses: exact about pages, calls and read units.

MiniStack and moto read a whole table for each query and do not count read units by size; this does what the service
documents (Developer Guide: "Capacity unit consumption", "Query"), fast enough for 100,000 studies.
"""

import bisect
import re
import threading
from dataclasses import dataclass
from math import ceil
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, dict[str, Any]]
_PAGE_BYTES = 1024 * 1024
_UNIT_BYTES = 4096
_INDEXES = {"uid", "orthanc"}


@dataclass
class Meter:
    """What was used: calls, read units (strongly consistent ones count 1 for 4 KB), items read."""

    calls: int = 0
    read_units: float = 0.0
    items: int = 0


class MemoryDynamoDB:
    """A client with one table, keyed by pk and sk, and the index `uid`."""

    def __init__(self) -> None:
        self._partitions: dict[str, dict[str, Item]] = {}
        self._order: dict[str, list[str]] = {}
        self._by_index: dict[tuple[str, str], set[tuple[str, str]]] = {}
        self._lock = threading.Lock()
        self.meter = Meter()

    def get_item(self, *, Key: Item, ConsistentRead: bool, **_: object) -> dict[str, Any]:  # noqa: N803
        with self._lock:
            item = self._find(Key)
            self._charge(ceil(_size(item or {}) / _UNIT_BYTES) or 1, ConsistentRead, 1)
            return {"Item": item} if item else {}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        with self._lock:
            ((table, request),) = RequestItems.items()
            found = [item for key in request["Keys"] if (item := self._find(key))]
            # Each item is rounded up by itself.
            units = sum(ceil(_size(item) / _UNIT_BYTES) for item in found)
            self._charge(units, request.get("ConsistentRead", False), len(found))
            return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def query(self, **request: Any) -> dict[str, Any]:
        with self._lock:
            values = {name: value["S"] for name, value in request["ExpressionAttributeValues"].items()}
            if request.get("IndexName"):
                items = [
                    self._partitions[pk][sk]
                    for pk, sk in sorted(self._by_index.get((request["IndexName"], values[":p"]), ()))
                ]
                self._charge(0.5, True, len(items))
                return {"Items": items}
            return self._query_partition(request, values)

    def put_item(self, *, Item: Item, **_: object) -> dict[str, Any]:  # noqa: N803
        with self._lock:
            self.meter.calls += 1
            self._store(Item)
            return {}

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]], **_: object) -> dict[str, Any]:  # noqa: N803
        with self._lock:
            self.meter.calls += 1
            if len(TransactItems) > 100:
                raise _error("ValidationException")
            actions = [(kind, write) for action in TransactItems for kind, write in action.items()]
            if not all(self._holds(write) for _, write in actions):
                raise _error("TransactionCanceledException", [{"Code": "ConditionalCheckFailed"}])
            for kind, write in actions:
                self._apply(kind, write)
            return {}

    def _query_partition(self, request: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
        pk = values[":p"]
        order = self._order.get(pk, [])
        low, high = 0, len(order)
        if ":b" in values:
            low, high = bisect.bisect_left(order, values[":b"]), bisect.bisect_left(order, values[":b"] + "\U0010ffff")
        if ":low" in values:
            if values[":low"] > values[":high"]:
                raise _error("ValidationException")
            low, high = bisect.bisect_left(order, values[":low"]), bisect.bisect_right(order, values[":high"])
        forward = request["ScanIndexForward"]
        if start := request.get("ExclusiveStartKey"):
            at = start["sk"]["S"]
            low, high = (bisect.bisect_right(order, at), high) if forward else (low, bisect.bisect_left(order, at))
        wanted = order[low:high] if forward else order[low:high][::-1]
        items: list[Item] = []
        size = 0
        for sk in wanted[: request.get("Limit", len(wanted))]:
            items.append(self._partitions[pk][sk])
            size += _size(items[-1])
            if size > _PAGE_BYTES:
                break
        self._charge(ceil(size / _UNIT_BYTES) or 1, request.get("ConsistentRead", False), len(items))
        more = {"LastEvaluatedKey": {"pk": {"S": pk}, "sk": items[-1]["sk"]}} if len(items) < len(wanted) else {}
        return {"Items": items, **more}

    def _charge(self, units: float, consistent: bool, items: int) -> None:
        self.meter.calls += 1
        self.meter.read_units += units if consistent else units / 2
        self.meter.items += items

    def _find(self, key: Item) -> Item | None:
        return self._partitions.get(key["pk"]["S"], {}).get(key["sk"]["S"])

    def _holds(self, write: dict[str, Any]) -> bool:
        item = self._find(write.get("Item") or write["Key"])
        condition = write.get("ConditionExpression", "")
        if condition.startswith("attribute_not_exists"):
            return item is None
        if condition.startswith("attribute_exists"):
            return item is not None
        if match := re.fullmatch(r"version = (:\w+)", condition):
            return item is not None and item["version"] == write["ExpressionAttributeValues"][match[1]]
        return not condition

    def _apply(self, kind: str, write: dict[str, Any]) -> None:
        if kind == "Put":
            self._store(write["Item"])
        elif kind == "Delete":
            self._remove(write["Key"])
        else:
            self._update(write)

    def _update(self, write: dict[str, Any]) -> None:
        item = dict(self._find(write["Key"]) or write["Key"])
        values = write["ExpressionAttributeValues"]
        for clause, assignments in re.findall(r"(SET|ADD) (.*?)(?= ADD |$)", write["UpdateExpression"]):
            for name, value in re.findall(r"(\w+) ?=? (:\w+)", assignments):
                given = values[value]
                if clause == "SET":
                    item[name] = given
                elif "N" in given:
                    item[name] = {"N": str(int(item.get(name, {"N": "0"})["N"]) + int(given["N"]))}
                else:
                    item[name] = {"SS": sorted({*item.get(name, {"SS": []})["SS"], *given["SS"]})}
        self._store(item)

    def _store(self, item: Item) -> None:
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        partition = self._partitions.setdefault(pk, {})
        if sk not in partition:
            bisect.insort(self._order.setdefault(pk, []), sk)
        partition[sk] = item
        for index in _INDEXES & item.keys():
            self._by_index.setdefault((index, item[index]["S"]), set()).add((pk, sk))

    def _remove(self, key: Item) -> None:
        pk, sk = key["pk"]["S"], key["sk"]["S"]
        item = self._partitions.get(pk, {}).pop(sk, None)
        if item:
            self._order[pk].remove(sk)
            for index in _INDEXES & item.keys():
                self._by_index[index, item[index]["S"]].discard((pk, sk))


def _size(item: Item) -> int:
    """Bytes of names and values, as DynamoDB counts them."""
    return sum(len(name) + _value_size(typed) for name, typed in item.items())


def _value_size(typed: dict[str, Any]) -> int:
    ((kind, value),) = typed.items()
    if kind == "SS":
        return sum(len(each.encode()) for each in value)
    if kind == "L":
        return 3 + sum(1 + _value_size(each) for each in value)
    return len(value.encode()) if isinstance(value, str) else len(value)


def _error(code: str, reasons: list[dict[str, str]] | None = None) -> ClientError:
    response: Any = {"Error": {"Code": code}, "CancellationReasons": reasons or []}
    return ClientError(response, "TransactWriteItems")
