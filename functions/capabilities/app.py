"""What the server can do (PS3.18 §8.9)."""

from dicomweb.api import capabilities
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(capabilities.router)
