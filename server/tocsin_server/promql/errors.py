"""What can be wrong with an expression."""

from tocsin_server.errors import Unprocessable


class BadExpression(Unprocessable):
    """It does not parse, or it asks for what tocsin refuses by name."""

    kind = "bad-expression"
