"""Retrieve Transaction (WADO-RS, PS3.18 §10.4)."""

from dicomweb.api import bulk_data, frames, metadata, retrieve
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(retrieve.router, metadata.router, frames.router, bulk_data.router)
