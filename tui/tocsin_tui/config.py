"""What a technician can set, in `console.toml`: strict, each setting with its reason.

A command-line option beats the file. A key that nobody knows is an error with the file's name, not silence.
"""

import os
from pathlib import Path
from typing import Literal

import msgspec

from tocsin_tui.errors import BadConfig


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file, as types."""

    url: str = ""
    """The server's address."""
    fingerprint: str = ""
    """SHA-256 of the server's certificate in hex; without it, this machine's authorities vouch."""
    token_file: str = ""
    """A file that holds a session token; without it the console asks."""
    theme: Literal["auto", "tocsin", "ansi"] = "auto"
    """`ansi` uses the terminal's own sixteen colours, at half the bytes: automatic over SSH."""
    glyphs: Literal["auto", "unicode", "ascii"] = "auto"
    """`ascii` where the terminal shows nothing else: automatic where the locale is not UTF-8."""
    bell: bool = True
    """Ring the terminal's bell when a ticket of priority 1 opens."""
    keys: dict[str, str] = {}
    """Other keys for a binding's id, several with commas."""


def default_path() -> Path:
    """Where the file is looked for."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "tocsin" / "console.toml"


def read_settings(path: Path | None) -> Settings:
    """The settings of the file named, or of the default one if there is any."""
    file = path or default_path()
    try:
        return msgspec.toml.decode(file.read_bytes(), type=Settings)
    except FileNotFoundError as error:
        if path is None:
            return Settings()
        raise BadConfig(
            f"there is no file {path}: copy config/console.toml there, or leave --config out"
        ) from error
    except OSError as error:
        raise BadConfig(f"{file} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadConfig(f"{file}: {error}") from error


def read_token(path: Path) -> str:
    """The session token in a file."""
    try:
        token = path.expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(
            f"the token file {path} cannot be read ({error}): sign in without --token-file"
        ) from error
    if not token or not token.isascii() or any(character.isspace() for character in token):
        raise BadConfig(f"the token file {path} holds no session token: sign in without --token-file")
    return token


def wants_ansi(settings: Settings, environ: dict[str, str]) -> bool:
    """Whether the terminal's own palette is used: asked for, over SSH, or without (true) colour."""
    if settings.theme != "auto":
        return settings.theme == "ansi"
    is_true_colour = environ.get("COLORTERM", "") in {"truecolor", "24bit"}
    return "NO_COLOR" in environ or "SSH_CONNECTION" in environ or not is_true_colour


def wants_ascii(settings: Settings, encoding: str) -> bool:
    """Whether only ASCII is shown."""
    if settings.glyphs != "auto":
        return settings.glyphs == "ascii"
    return encoding.lower().replace("-", "") not in {"utf8", "utf8sig"}
