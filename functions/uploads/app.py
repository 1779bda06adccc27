"""Upload sessions, an extension to the Studies Service."""

from dicomweb.api import uploads
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(uploads.router)
