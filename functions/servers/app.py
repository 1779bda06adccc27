"""Remote servers: their definitions, and what is asked of them; and labels of studies."""

from dicomweb.api import labels, servers
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(servers.router, labels.router)
