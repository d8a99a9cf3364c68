"""The options of one probe, read strictly: what is there has its type and its bounds, or is `Misdeclared`.

The server has checked the structure already; an agent does not act on a server's word alone. No value is
repeated in a message, for an operator may have put a secret where it does not belong.
"""

from collections.abc import Mapping

from tocsin_agent.probes.failure import Misdeclared

_MOST_PORT = 65535


class Declared:
    """What is declared of one probe of the kind `kind`."""

    def __init__(self, kind: str, options: Mapping[str, object]) -> None:
        self._kind = kind
        self._options = options

    def refused(self, name: str, remedy: str) -> Misdeclared:
        """The error that names the option and says what it must be."""
        return Misdeclared(f"probe {self._kind}: {name!r} must be {remedy}")

    def text(self, name: str, *, most: int = 255) -> str:
        """A text of one line that must be there."""
        value = self.text_or_none(name, most=most)
        if value is None:
            raise self.refused(name, "given")
        return value

    def text_or_none(self, name: str, *, most: int = 255, is_one_line: bool = True) -> str | None:
        """A text, or None where there is none."""
        value = self._options.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise self.refused(name, f"a text of at most {most} characters")
        if is_one_line and not value.isprintable():
            raise self.refused(name, "one line without control characters")
        return value

    def host(self, name: str = "address") -> str:
        """The name or the address of a host; an international name in its ASCII form, as DNS has it."""
        value = self.text(name, most=253)
        if not value.isascii() or any(letter in " /@[]" for letter in value):
            raise self.refused(name, "a host's name (xn--… for an international one) or an IP address")
        return value

    def whole(self, name: str, default: int, *, least: int = 1, most: int = _MOST_PORT) -> int:
        """A whole number within bounds."""
        value = self._options.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.refused(name, f"a whole number from {least} to {most}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self._options.get(name, default)
        if not isinstance(value, bool):
            raise self.refused(name, "true or false")
        return value

    def choice(self, name: str, among: tuple[str, ...]) -> str:
        """One of the words; the first where none is given."""
        value = self._options.get(name, among[0])
        if not isinstance(value, str) or value not in among:
            raise self.refused(name, f"one of {', '.join(among)}")
        return value

    def wholes(self, name: str, *, least: int, most: int) -> frozenset[int]:
        """A list of whole numbers within bounds; empty where none is given."""
        values = self._options.get(name, [])
        if not isinstance(values, list | tuple) or not all(
            isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
            for value in values
        ):
            raise self.refused(name, f"a list of whole numbers from {least} to {most}")
        return frozenset(values)
