"""The last step of a job: what it came to."""

from dicomweb.jobs.steps import finish_handler

handler = finish_handler()
