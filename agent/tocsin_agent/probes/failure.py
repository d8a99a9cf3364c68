"""Why a probe has not succeeded: one word for a rule, one line for a person, and what was read until then.

Failed        the thing that is watched, or the way to it: the next round tries again
Misdeclared   what was declared of it: nothing changes until somebody changes `config/probes/`
"""

from collections.abc import Sequence

from tocsin_agent.readings import Sample

REASONS = frozenset(
    {
        "timeout",
        "unreachable",
        "refused",
        "name",
        "credential",
        "malformed",
        "endless",
        "host_key_unknown",
        "host_key_changed",
        "certificate",
        "status",
        "content",
        "exit_status",
        "not_installed",
        "internal",
    }
)
MOST_WORDS = 300
"""Characters of a line of the log that tells of one failure."""


class Failed(Exception):
    """`reason` is one of `REASONS`; `words` are made safe here; `samples` came before."""

    def __init__(self, reason: str, words: str, samples: Sequence[Sample] = ()) -> None:
        self.words = safe_line(words)
        super().__init__(self.words)
        self.reason = reason if reason in REASONS else "internal"
        self.samples = tuple(samples)


class Misdeclared(Exception):
    """The declaration of a probe cannot be used: `words` name the option, the value and the remedy."""

    def __init__(self, words: str) -> None:
        self.words = safe_line(words)
        super().__init__(self.words)


def safe_line(words: str) -> str:
    """One line that no terminal obeys and no log is flooded by, whoever has chosen the words."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in words[: MOST_WORDS + 1])
    return shown if len(shown) <= MOST_WORDS else shown[: MOST_WORDS - 1] + "…"
