"""Retrieve by query parameters (WADO-URI, PS3.18 §9)."""

from dicomweb.api import wado_uri
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(wado_uri.router)
