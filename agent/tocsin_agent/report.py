"""What the agent says of itself while it runs: one sentence a line on standard error, for the host's journal.

Not `logging`, which costs every host most of a megabyte for what is one write.
"""

import os
import sys
import time


def say(sentence: str) -> None:
    """Say it with the time; a full disk or a closed pipe behind standard error is no reason to stop."""
    line = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {sentence}\n"
    try:
        os.write(sys.stderr.fileno(), line.encode("utf-8", "backslashreplace"))
    except (OSError, ValueError):
        return
