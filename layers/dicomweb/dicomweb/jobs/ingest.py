"""What S3 tells of objects under incoming/, by way of a queue: each is stored. At least once, in any order."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import utils
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from dicomweb.archive import Archive, connect
from dicomweb.settings import settings
from dicomweb.transactions.incoming import Dropped, store_incoming

Handler = Callable[[dict[str, Any], Any], Any]

logger = Logger()


def ingest_handler() -> Handler:
    """The function that the queue calls; messages whose object could not be stored now stay in it."""
    utils.copy_config_to_registered_loggers(logger, include={"dicomweb"})
    archive = connect(settings())
    return lambda event, context: ingest(archive, event, context)


def ingest(archive: Archive, event: dict[str, Any], context: Any = None) -> Any:
    """Store the objects that the messages of an event name, together; the answer names messages to be told again."""
    stored = store_incoming(archive, [each for record in event["Records"] for each in _readable(record["body"])])

    def count(record: SQSRecord) -> int:
        """How many files the objects of one message held."""
        total = 0
        for each in _told(record.body):
            if isinstance(outcomes := stored[each], Exception):
                raise outcomes
            total += len(outcomes)
        return total

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event, record_handler=count, processor=processor, context=context)


def _readable(body: str) -> list[Dropped]:
    try:
        return list(_told(body))
    except (ValueError, LookupError, TypeError, AttributeError):
        return []  # its message fails when it is counted, and stays in the queue


def _told(body: str) -> Iterator[Dropped]:
    """The objects that a message names."""
    for each in json.loads(body).get("Records", ()):  # what S3 sends to see whether a queue is there has none
        stored = each["s3"]["object"]
        # A key is written as in a URL, a space as a plus sign.
        yield Dropped(unquote_plus(stored["key"]), stored.get("versionId", ""))
