"""For every test: no time limit on a Hypothesis example (machines are busy), and on CI the same examples each time."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("koppelpunt", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("koppelpunt")
