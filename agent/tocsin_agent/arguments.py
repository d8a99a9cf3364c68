"""The words after `tocsin-agent`, read against a small table.

Not argparse: it brings gettext, locale, shutil and with it every compression library, more than a megabyte in
every agent for a command line that is read once.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tocsin_agent.errors import AgentError


class WrongArguments(AgentError):
    """The command line cannot be understood; the message says which word."""


class Command(NamedTuple):
    """What a command takes: words without a name (`…`: one or more), options with a value, flags."""

    words: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class Arguments(NamedTuple):
    """What was given; an option that was not is absent from `options`."""

    command: str
    words: Sequence[str]
    options: Mapping[str, str]
    flags: frozenset[str]


def read_arguments(given: Sequence[str], commands: Mapping[str, Command]) -> Arguments:
    """Read a command line; raises `WrongArguments`."""
    if not given:
        raise WrongArguments(f"which command? There are: {', '.join(commands)}")
    name, *rest = given
    command = commands.get(name)
    if command is None:
        raise WrongArguments(f"there is no command {name!r}{_suggestion(name, commands)}")
    words: list[str] = []
    options: dict[str, str] = {}
    flags: set[str] = set()
    remaining = list(rest)
    while remaining:
        word = remaining.pop(0)
        option, equals, value = word.partition("=")
        if word == "--":
            words += remaining
            break
        if not word.startswith("-") or word == "-":
            words.append(word)
        elif word in command.flags:
            flags.add(word)
        elif option not in command.options:
            known = (*command.options, *command.flags)
            raise WrongArguments(f"{name} has no option {option}{_suggestion(option, known)}")
        elif equals or remaining:
            options[option] = value if equals else remaining.pop(0)
        else:
            raise WrongArguments(f"{option} needs a value")
    _check_words(name, words, command.words)
    return Arguments(name, words, options, frozenset(flags))


def _check_words(name: str, words: Sequence[str], wanted: Sequence[str]) -> None:
    if len(words) < len(wanted):
        raise WrongArguments(f"{name} needs {wanted[len(words)]}")
    takes_more = bool(wanted) and wanted[-1].endswith("…")
    if len(words) > len(wanted) and not takes_more:
        raise WrongArguments(f"{name} does not know what to do with {words[len(wanted)]!r}")


def _suggestion(word: str, known: Mapping[str, object] | Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - needed for a mistake only

    near = get_close_matches(word, list(known), n=1)
    return f": did you mean {near[0]}?" if near else f": there are {', '.join(known)}"
