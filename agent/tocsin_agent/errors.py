"""What can go wrong, by what the one who meets it can do.

AgentError             a person reads the message: what, where, and how to mend it
├── Misconfigured      mend the configuration
├── NotEnrolled        enrol this host
├── Occupied           end the other agent, or choose another folder
├── Unusable           mend the state folder, or the socket's
├── NotRunning         start the agent
├── NotAsked           the question has not been answered with a ticket: the message says why
└── NoDelivery         keep the frames and try again
    ├── Unreachable    nobody answers, or not in HTTP
    ├── Untrusted      somebody answers who is not the server that was enrolled with
    └── Refused        the server answers, with something else than yes
"""


class AgentError(Exception):
    """The message is one line: the thing, the value, the remedy."""


class Misconfigured(AgentError):
    """A setting cannot be used as it is."""


class NotEnrolled(AgentError):
    """This host has no identity, or one that cannot be read."""


class Occupied(AgentError):
    """Another agent works on the same state folder."""


class Unusable(AgentError):
    """The state folder cannot be written, or the socket not be opened."""


class NotRunning(AgentError):
    """No agent answers at the socket."""


class NotAsked(AgentError):
    """A question that has come to nothing."""


class NoDelivery(AgentError):
    """The server has not taken what it was given."""


class Unreachable(NoDelivery):
    """No connection, or no whole answer in time."""


class Untrusted(NoDelivery):
    """The certificate or the signature is not the one that the enrolment token named."""


class Refused(NoDelivery):
    """An answer other than 200; `retry_after_s` is what the server asked for, 0 where it asked nothing.

    `kind` is the server's word for what it is, empty where it has said none.
    """

    def __init__(self, message: str, *, status: int, retry_after_s: float = 0.0, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.retry_after_s = retry_after_s
