"""When things run: the only room that knows Prefect, and the `koppel` command."""

import os

# Before Prefect is imported anywhere: no outgoing analytics (docs/decisions/0006).
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
