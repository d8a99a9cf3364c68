"""What has become of a fleet's frames."""

from dataclasses import dataclass


@dataclass
class Counts:
    """All in frames, but for the hosts."""

    hosts: int = 0
    sent: int = 0
    acked: int = 0
    refused: int = 0
    """Answered with another status; most of them are sent again."""
    unanswered: int = 0
    waiting: int = 0
    """Of hosts that are silent or have been refused."""

    def line(self) -> str:
        """For a person and for a program."""
        return (
            f"hosts {self.hosts} sent {self.sent} acked {self.acked} refused {self.refused}"
            f" unanswered {self.unanswered} waiting {self.waiting}"
        )
