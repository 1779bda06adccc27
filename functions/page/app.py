"""The web page."""

from dicomweb.api import page
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(page.router, page.front_door)
