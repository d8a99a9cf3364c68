"""What every command is made of: its words, its options, and the data folder that it works on."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from tocsin_server.alerts.durations import parse_duration
from tocsin_server.alerts.moments import parse_moment
from tocsin_server.cli.words import SAID
from tocsin_server.config import DEFAULT_DATA, ServerConfig, find_config, read_config

Options = argparse.Namespace
Command = Callable[[Options], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no other name

AT = "--at"


def command(
    commands: Commands,
    name: str,
    act: Command,
    said: str = "",
    *,
    data: bool = True,
    examples: str = "",
) -> argparse.ArgumentParser:
    """One command, with what is said of it where that is not in `words`; nearly all work on a data folder."""
    said = said or SAID[name]
    parser = commands.add_parser(
        name,
        help=said,
        description=said[0].upper() + said[1:] + ".",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=act)
    if data:
        parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="data folder (default %(default)s)")
        parser.add_argument("--settings", type=Path, help="server.toml to use")
    return parser


def group(commands: Commands, name: str) -> Commands:
    """A word under which commands stand, such as `rules`."""
    return commands.add_parser(name, help=SAID[name]).add_subparsers(required=True, metavar="COMMAND")


def settings(options: Options) -> ServerConfig:
    """`server.toml` where there is one, with the flags that were typed on top."""
    path = options.settings or find_config("server.toml")
    written = read_config(path) if path is not None else ServerConfig()
    typed = {name: getattr(options, name, None) for name in ("host", "port", "public_url", "open_metrics")}
    return msgspec.structs.replace(written, **{name: value for name, value in typed.items() if value})


def with_time_in_one_word(words: Sequence[str]) -> list[str]:
    """`--at -5m` as `--at=-5m`: argparse would take the time for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == AT and word.startswith("-") and word[1:2].isdigit():
            joined[-1] = f"{AT}={word}"
        else:
            joined.append(word)
    return joined


def from_one(text: str) -> int:
    """A number that counts something."""
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def moment_ms(text: str) -> int:
    """A moment, as milliseconds since 1970."""
    try:
        return parse_moment(text)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is not a moment such as 2026-11-26T22:00+01:00"
        ) from error


def duration_ms(text: str) -> int:
    """A duration, as milliseconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
