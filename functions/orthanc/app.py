"""Resources by Orthanc's identifiers."""

from dicomweb.api import orthanc
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(orthanc.router)
