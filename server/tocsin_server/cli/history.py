"""`history`: what is kept of closed hours, and any range of it as OpenMetrics text."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session, col, select

from tocsin_server.cli.command import Commands, Options, command, duration_ms, group, moment_ms
from tocsin_server.cli.query import columns, shown
from tocsin_server.clock import SystemClock, moment
from tocsin_server.datafolder import look
from tocsin_server.errors import Misconfigured, NotFound
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.store import Host, Site, known
from tocsin_server.promql import parse
from tocsin_server.promql.syntax import Selector
from tocsin_server.series.history.dayfile import DayFile, Grain
from tocsin_server.series.history.days import HISTORY, day_paths
from tocsin_server.series.history.errors import Damaged
from tocsin_server.series.history.openmetrics import exposition
from tocsin_server.series.history.reader import Archive, Question, Wanted, Watched

EXAMPLES = """\
examples:
  tocsin-server history export --client acme --last 7d > acme.txt
  tocsin-server history export --client acme --host atlas --match node_load1 --last 1d
  tocsin-server history export --client acme --match '{__name__=~"node_filesystem_.*"}' \\
      --from 2026-11-01T00:00Z --to 2026-11-08T00:00Z > filesystems.txt
  promtool tsdb create-blocks-from openmetrics acme.txt /var/lib/prometheus

Hours are in history a few minutes after they are over. Where only roll-ups are left, the text has a sample
each five minutes: the mean, of a counter the highest. Retired hosts are told too.
"""
WEEK = "7d"


def add_commands(commands: Commands) -> None:
    """`history`."""
    history = group(commands, "history")
    command(history, "show", _show, "list the days that are kept, with their sizes")
    told = command(
        history, "export", _export, "print any range of history as OpenMetrics text", examples=EXAMPLES
    )
    told.add_argument("--client", required=True, metavar="SLUG", help="whose hosts")
    told.add_argument(
        "--host", action="append", default=[], metavar="NAME", help="this host only; again for more"
    )
    told.add_argument(
        "--match",
        action="append",
        default=[],
        metavar="SELECTOR",
        help="these series only, such as node_load1 or '{job=\"node\"}'; again for more",
    )
    begin = told.add_mutually_exclusive_group()
    begin.add_argument(
        "--last", type=duration_ms, default=WEEK, metavar="TIME", help=f"how far back (default {WEEK})"
    )
    begin.add_argument("--from", dest="start", type=moment_ms, metavar="TIME", help="such as 2026-11-01T00:00Z")
    told.add_argument("--to", dest="end", type=moment_ms, metavar="TIME", help="until when (default now)")


# -- show


@dataclass(frozen=True, slots=True)
class Day:
    """What a file holds: its hours of hosts by grain; nothing where it is damaged."""

    path: Path
    began_ms: int
    hours: dict[Grain, int] | None

    @property
    def cells(self) -> list[str]:
        """Its line."""
        size = f"{self.path.stat().st_size / (1 << 20):.1f} MiB"
        if self.hours is None:
            return [f"{moment(self.began_ms):%Y-%m-%d}", size, "damaged", ""]
        return [
            f"{moment(self.began_ms):%Y-%m-%d}",
            size,
            *(f"{self.hours[grain]} host-hours" if self.hours[grain] else "-" for grain in Grain),
        ]


def _show(options: Options) -> int:
    days = [Day(path, began_ms, _hours(path)) for began_ms, path in day_paths(_folder(options))]
    lines = columns([["day", "size", "samples", "roll-ups"], *(day.cells for day in days)])
    print("\n".join(lines) if days else "nothing is in history yet: an hour comes in once it is over")
    return 1 if any(day.hours is None for day in days) else 0


def _hours(path: Path) -> dict[Grain, int] | None:
    try:
        with DayFile(path, read_only=True) as day:
            return day.counts()
    except Damaged:
        return None


def _folder(options: Options) -> Path:
    folder: Path = options.data / HISTORY
    if not folder.is_dir():
        raise Misconfigured(f"{folder} is not there", remedy="name the server's data folder with --data")
    return folder


# -- export


def _export(options: Options) -> int:
    archive = Archive(_folder(options))
    question = _question(options, SystemClock().now_ms())
    with contextlib.suppress(BrokenPipeError):  # whoever reads it has seen enough
        for piece in exposition(archive, question):
            sys.stdout.write(piece)
        sys.stdout.flush()
    return 0


def _question(options: Options, now_ms: int) -> Question:
    end_ms = now_ms if options.end is None else options.end
    start_ms = end_ms - options.last if options.start is None else options.start
    if start_ms >= end_ms:
        raise Misconfigured("that range is empty", remedy="name an earlier --from or a later --to")
    client_id, hosts = look(options.data, lambda session: _hosts(session, options.client, options.host))
    return Question(client_id, hosts, _wanted(options.match), start_ms, end_ms)


def _hosts(session: Session, slug: str, names: Sequence[str]) -> tuple[int, list[Watched]]:
    """The client and its hosts of these names, retired ones too; all of them where none is named."""
    client_id = known(client_named(session, slug).id)
    asked = select(Host, Site.slug).join(Site, col(Site.id) == Host.site_id).where(Host.client_id == client_id)
    found = [(host, site) for host, site in session.exec(asked.order_by(col(Host.id)))]
    missing = {*names} - {host.name for host, _ in found}
    if missing:
        raise NotFound(
            f"{slug} has no host {shown(min(missing))!r}", remedy="tocsin-server query up --client SLUG"
        )
    return client_id, [
        Watched(known(host.id), {"instance": host.name, "job": host.job, "site": site})
        for host, site in found
        if not names or host.name in names
    ]


def _wanted(selectors: Sequence[str]) -> list[Wanted]:
    return [_selector(text) for text in selectors] or [Wanted(None)]


def _selector(text: str) -> Wanted:
    root = parse(text).root
    if not isinstance(root, Selector) or root.offset_ms or root.at is not None:
        raise Misconfigured(f"{text!r} is no selector", remedy="such as node_load1 or '{job=\"node\"}'")
    return Wanted(root.name, root.matchers)
