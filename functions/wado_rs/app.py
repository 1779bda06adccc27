"""Retrieve Transaction (WADO-RS, PS3.18 §10.4)."""

from dicomweb.api import bulk_data, frames, metadata, metadata_cache, retrieve
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(retrieve.router, metadata.router, metadata_cache.router, frames.router, bulk_data.router)
