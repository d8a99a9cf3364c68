"""What can go wrong for the console, branched by what a person can do.

ConsoleError            the message is one line for the screen
├── BadConfig           mend the configuration or the command line
├── Unreachable         wait: what is known stays on screen, and it tries again
│   └── Lost            nobody knows whether it was done: the same again is safe
├── BadAnswer           the server says something outside the contract: update one of the two
├── SignedOut           sign in again
│   └── CodeRequired    the password is right: type the one-time code, too
├── Overtaken           somebody was first: read the thing again
└── Refused             the server says no, and why
"""


class ConsoleError(Exception):
    """The root: its text is one line that a technician understands."""


class BadConfig(ConsoleError):
    """A setting, an option or a file cannot be used."""


class Unreachable(ConsoleError):
    """The server does not answer, or says that it cannot now."""


class Lost(Unreachable):
    """The request may have arrived, and its answer has not."""


class BadAnswer(ConsoleError):
    """The answer is not what the contract promises."""


class SignedOut(ConsoleError):
    """The session has ended or was never there."""


class CodeRequired(SignedOut):
    """The password is right, and the one-time code is missing, wrong or was used."""


class Overtaken(ConsoleError):
    """409 or 412: the thing has changed since it was read."""


class Refused(ConsoleError):
    """Any other 4xx: the server's own sentence."""
