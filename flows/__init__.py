"""When things run: the only room that knows Prefect, and the `koppel` command."""

import os

# Before Prefect is imported anywhere: no outgoing analytics (docs/decisions/0006).
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# Before NumPy is: its thread pool spins on the small matrices of the estimation, to the cost of every other step.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
