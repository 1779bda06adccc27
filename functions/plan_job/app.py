"""The first step of a job: what it is about is cut into batches."""

from dicomweb.jobs.steps import plan_handler

handler = plan_handler()
