"""One run of one batch of a job."""

from dicomweb.jobs.steps import work_handler

handler = work_handler(seconds=780)  # of the function's 900: an instance that is under way comes to its end
