"""Property tests take as many examples as TOCSIN_EXAMPLES says, each as long as it needs."""

import os

from hypothesis import settings

settings.register_profile("tocsin", max_examples=int(os.environ.get("TOCSIN_EXAMPLES", "100")), deadline=None)
settings.load_profile("tocsin")
