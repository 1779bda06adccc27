"""Remote servers: their definitions, and what is asked of them (the client of other DICOMweb servers)."""

from dicomweb.api import servers
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(servers.router)
