"""Search Transaction (QIDO-RS, PS3.18 §10.6)."""

from dicomweb.api import search
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(search.router)
