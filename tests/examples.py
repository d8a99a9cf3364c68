"""How many examples a property test takes: TOCSIN_EXAMPLES, or hypothesis's 100."""

import os

EXAMPLES = int(os.environ.get("TOCSIN_EXAMPLES", "100"))


def share(of_a_hundred: int) -> int:
    """As many examples as the test wants where others take 100."""
    return max(1, of_a_hundred * EXAMPLES // 100)
