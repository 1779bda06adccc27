"""Delete, an extension to the Studies Service."""

from dicomweb.api import delete
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(delete.router)
