"""Store Transaction (STOW-RS, PS3.18 §10.5)."""

from dicomweb.api import conflicts, store
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(store.router, conflicts.router)
