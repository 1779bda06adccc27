"""Objects under incoming/, told of by S3 through a queue."""

from dicomweb.jobs.ingest import ingest_handler

handler = ingest_handler()
