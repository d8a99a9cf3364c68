"""`tocsin-server`: what an operator types. Each command is one function; errors are one line and status 2."""

import argparse
import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from tocsin_server.cli.command import Commands, with_time_in_one_word
from tocsin_server.cli.words import SAID, file_of
from tocsin_server.errors import TocsinError

EXAMPLES = """\
examples:
  tocsin-server run --data /srv/tocsin
  tocsin-server client add acme --name 'Acme GmbH'
  tocsin-server site add acme berlin
  tocsin-server enrol-token create --client acme --site berlin
  tocsin-server agent show acme atlas
  tocsin-server user add alice --name 'Alice Martin' --all-clients
  tocsin-server rules check config/rules/*.yml
  tocsin-server rules test config/rules/tests/*.yml
  tocsin-server rules backtest my-rules/disk.yml --last 30d
  tocsin-server rules why 17
  tocsin-server query 'node_load1 > 4' --client acme
  tocsin-server silence add alertname=DiskFull --client acme --for 2h --comment 'disk swap'
  tocsin-server sla explain --contract contract.yml --events events.json
  tocsin-server audit verify
  tocsin-server history export --client acme --host atlas --last 7d > atlas.txt
  tocsin-server seal --client acme --host atlas < community.txt
  tocsin-server probes check config/probes/*.yml
  tocsin-server suppressions check config/suppressions
  tocsin-server decisions explain priority impact=high urgency=low
  tocsin-server backup /var/backups/tocsin --keep 14
  tocsin-server restore /var/backups/tocsin/tocsin-20261125T021500Z.backup --data /srv/tocsin
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    options = parser(next(iter(words), "")).parse_args(with_time_in_one_word(words))
    try:
        return int(options.command(options))
    except TocsinError as error:
        print(f"tocsin-server: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def parser(typed: str = "") -> argparse.ArgumentParser:
    """What may follow this word, or a list of words; each command is in `options.command`."""
    made = argparse.ArgumentParser(
        prog="tocsin-server",
        description="The central server: it takes what agents push, judges it by rules, and keeps the desk.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"tocsin-server {version('tocsin')}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    file = file_of(typed)
    if file is None:
        for word, said in SAID.items():
            commands.add_parser(word, help=said)
    else:
        _add_commands(file, commands)
    return made


def _add_commands(file: str, commands: Commands) -> None:
    gc.disable()  # modules are no garbage, and looking for it among them is an eighth of a start
    try:
        import_module(f"tocsin_server.cli.{file}").add_commands(commands)
    finally:
        gc.enable()
