"""Jobs, by the routes that Orthanc has."""

from dicomweb.api import jobs
from dicomweb.api.lambda_host import lambda_handler

handler = lambda_handler(jobs.router)
