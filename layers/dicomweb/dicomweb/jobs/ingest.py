"""What S3 tells of objects under incoming/, by way of a queue: each is stored. At least once, in any order."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import utils
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from dicomweb.archive import Archive, connect
from dicomweb.settings import settings
from dicomweb.transactions.incoming import store_incoming

Handler = Callable[[dict[str, Any], Any], Any]

logger = Logger()


def ingest_handler() -> Handler:
    """The function that the queue calls; messages whose object could not be stored now stay in it."""
    utils.copy_config_to_registered_loggers(logger, include={"dicomweb"})
    archive = connect(settings())
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

    def handler(event: dict[str, Any], context: Any) -> Any:
        return process_partial_response(
            event, record_handler=lambda record: ingest(archive, record), processor=processor, context=context
        )

    return handler


def ingest(archive: Archive, record: SQSRecord) -> int:
    """Store the objects that one message names; how many files they held.

    Raises:
        ArchiveBusy: one of them is to be tried again.
    """
    told = json.loads(record.body)
    count = 0
    for each in told.get("Records", ()):  # what S3 sends to see whether a queue is there has none
        stored = each["s3"]["object"]
        # A key is written as in a URL, a space as a plus sign.
        count += len(store_incoming(archive, unquote_plus(stored["key"]), stored.get("versionId", "")))
    return count
