"""For every test: no time limit on a Hypothesis example (machines are busy), and on CI the same examples each time."""

from __future__ import annotations

import os
import sys

from hypothesis import settings

settings.register_profile("koppelpunt", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("koppelpunt")

# The main module of a pytest-xdist worker has neither file nor spec. The Spark client takes that for its own doctests
# and looks for a whole Spark, which is not there.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__
