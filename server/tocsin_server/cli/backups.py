"""Backups: made, read, restored."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tocsin_server.backup.contents import Tell
from tocsin_server.backup.make import backup, keep_newest, name_in, verify
from tocsin_server.backup.progress import Progress
from tocsin_server.backup.restore import restore
from tocsin_server.cli.command import Commands, Options, command, from_one
from tocsin_server.clock import SystemClock
from tocsin_server.errors import Misconfigured
from tocsin_server.storage.address import address
from tocsin_server.storage.migrate import newest


def add_commands(commands: Commands) -> None:
    """`backup, verify, restore`."""
    made = command(commands, "backup", _backup)
    made.add_argument("file", type=Path, metavar="FILE", help="a new file, or a folder of backups")
    made.add_argument("--keep", type=from_one, metavar="N", help="leave the newest N backups in that folder")
    made.add_argument(
        "--with-history", action="store_true", help="take the samples of past days too, which may be many GiB"
    )
    whole = command(commands, "verify", _verify, data=False)
    whole.add_argument("file", type=Path, metavar="FILE")
    again = command(commands, "restore", _restore)
    again.add_argument("file", type=Path, metavar="FILE")


def _backup(options: Options) -> int:
    now = SystemClock().now_ms()
    is_folder = options.file.is_dir()
    if options.keep is not None and not is_folder:
        raise Misconfigured(f"--keep is for a folder of backups, and {options.file} is none")
    path = name_in(options.file, now) if is_folder else options.file
    with _telling() as tell:
        made = backup(
            options.data,
            address(options.data, os.environ),
            path,
            now_ms=now,
            tell=tell,
            with_history=options.with_history,
        )
    print(f"written and read again: {made.text}")
    for old in keep_newest(options.file, options.keep) if options.keep is not None else []:
        print(f"removed: {old}")
    return 0


def _verify(options: Options) -> int:
    with _telling() as tell:
        print(f"whole: {verify(options.file, tell=tell).text}")
    return 0


def _restore(options: Options) -> int:
    with _telling() as tell:
        restored = restore(options.file, options.data, address(options.data, os.environ), tell=tell)
    print(f"restored: {restored.text}, now {newest()}")
    return 0


@contextlib.contextmanager
def _telling() -> Iterator[Tell]:
    """Progress at a terminal; SIGTERM ends it as Ctrl-C does, so that nothing half is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = Progress(sys.stderr)
    try:
        yield progress.tell
    finally:
        progress.end()
        signal.signal(signal.SIGTERM, before)
