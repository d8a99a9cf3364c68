"""Property tests take as many examples as TOCSIN_EXAMPLES says, each as long as it needs."""

import gc
import os

from hypothesis import settings

settings.register_profile("tocsin", max_examples=int(os.environ.get("TOCSIN_EXAMPLES", "100")), deadline=None)
settings.load_profile("tocsin")


def pytest_collection_finish() -> None:
    """Keep the collector off the tests themselves, which are many and never garbage: a sixth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
