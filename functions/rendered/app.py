"""Rendered resources and thumbnails (PS3.18 §10.4)."""

from dicomweb.api import rendered
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(rendered.router)
