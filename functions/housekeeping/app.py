"""One step of a housekeeping task; the state machine beside it asks for steps until all is done."""

from dicomweb.jobs.housekeeping import step_handler

handler = step_handler(seconds=240)  # of the function's 300
