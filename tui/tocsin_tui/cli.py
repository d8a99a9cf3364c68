"""The console's command: `tocsin`, and `tocsin up` for everything on one machine."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin_tui.config import Settings

EXAMPLES = """\
examples:
  tocsin up                                        server, this machine's agent and the console
  tocsin up --demo                                 a server with simulated clients, and the console
  tocsin --url https://desk.example.org:8443       the console; asks for login and password
  tocsin --url https://10.0.0.5:8443 --fingerprint 3f9a…
                                                   a server with a certificate of its own
  tocsin --token-file ~/.local/share/tocsin/session --url http://127.0.0.1:8443
                                                   the server of a `tocsin up` that runs elsewhere
"""
LOCAL_URL = "http://127.0.0.1:8443"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the process's exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["up"]:
        from tocsin_tui import up  # noqa: PLC0415 - the console alone does not need it

        return up.main(words[1:])
    options = _parser().parse_args(words)

    from tocsin_tui.errors import BadConfig  # noqa: PLC0415 - see open_console

    try:
        return _run(options)
    except BadConfig as error:
        print(f"tocsin: {error}", file=sys.stderr)
        return 2


def open_console(url: str, session: str, *, label: str = "") -> int:
    """Open the console on a server with a session token until it is left; `label` is shown at its top."""
    # Deferred, and in this order: --help and --version answer at once, and the first frame is on the screen
    # before the HTTP client is imported (app.py).
    from tocsin_tui.config import read_settings  # noqa: PLC0415

    return _open(url, session, "", read_settings(None), label=label)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tocsin",
        description="The technicians' console. `tocsin up --help`: everything on one machine.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tocsin {version('tocsin')}")
    parser.add_argument("--url", help=f"the server's address (default: the configuration's, else {LOCAL_URL})")
    parser.add_argument(
        "--token-file", type=Path, help="a file that holds a session token; without it, sign in"
    )
    parser.add_argument("--fingerprint", help="SHA-256 of the server's own certificate, in hex")
    parser.add_argument("--config", type=Path, help="a console.toml (default: ~/.config/tocsin/console.toml)")
    return parser


def _run(options: argparse.Namespace) -> int:
    from tocsin_tui.config import read_settings, read_token  # noqa: PLC0415 - see open_console

    settings = read_settings(options.config)
    token_file = options.token_file or (Path(settings.token_file) if settings.token_file else None)
    token = read_token(token_file) if token_file else ""
    url = options.url or settings.url or LOCAL_URL
    return _open(url, token, options.fingerprint or settings.fingerprint, settings)


def _open(url: str, token: str, fingerprint: str, settings: "Settings", *, label: str = "") -> int:
    from tocsin_tui.address import checked_url  # noqa: PLC0415 - see open_console
    from tocsin_tui.app import Console  # noqa: PLC0415
    from tocsin_tui.config import wants_ansi, wants_ascii  # noqa: PLC0415

    console = Console(
        checked_url(url),
        token=token,
        fingerprint=fingerprint,
        settings=settings,
        own_palette=not wants_ansi(settings, dict(os.environ)),
        ascii_only=wants_ascii(settings, sys.stdout.encoding or "ascii"),
        label=label,
    )
    console.run()
    return console.return_code or 0
