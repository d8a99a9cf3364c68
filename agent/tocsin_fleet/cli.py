"""The command `python -m tocsin_fleet`: enrol simulated hosts and push for them until told to end."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tocsin_fleet.counts import Counts
from tocsin_fleet.errors import FleetError

if TYPE_CHECKING:
    from tocsin_fleet.roster import Kept, Place

EXAMPLES = """\
examples:
  tocsin-server prepare --demo --hosts 1000 --url http://127.0.0.1:8443 --data DATA > roster.json
  python -m tocsin_fleet --roster roster.json --minutes 10
  python -m tocsin_fleet --url https://10.0.0.5:8443 --invitation toc_enr_… --hosts 1 --seed 7
"""
COUNTS_EVERY_S = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fleet; the process's exit status."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_simulate(options))
    except FleetError as error:
        print(f"tocsin_fleet: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tocsin_fleet",
        description="Simulated hosts that enrol and push as real agents do, until SIGTERM.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default="", help="the server's address (default: that of the invitations)")
    parser.add_argument(
        "--invitation", action="append", default=[], help="an enrolment token; once for each host"
    )
    parser.add_argument(
        "--roster", default="", help="a file with hosts and their invitations, as `prepare --demo` prints it"
    )
    parser.add_argument("--hosts", type=int, help="how many of them (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same readings (default 1)")
    parser.add_argument("--minutes", type=float, help="end after so long (default: never)")
    parser.add_argument("--state", default="", help="folder for keys, so that hosts need not enrol again")
    parser.add_argument(
        "--connections", type=int, default=100, help="connections at most (default %(default)s)"
    )
    parser.add_argument(
        "--ahead", type=float, default=0.0, help="begin so many seconds into the script of what goes wrong"
    )
    parser.add_argument("--calm", action="store_true", help="nothing goes wrong")
    return parser


async def _simulate(options: argparse.Namespace) -> int:
    """Until the time is over or a signal comes; what is underway then is given up."""
    work = asyncio.create_task(_work(options))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        async with asyncio.timeout(options.minutes and options.minutes * 60):
            await work
    except (asyncio.CancelledError, TimeoutError):
        return 0
    return 0


async def _work(options: argparse.Namespace) -> None:
    # Deferred: --help needs no numpy, which the extra `server` brings.
    from tocsin_fleet.enrolling import enrol_all  # noqa: PLC0415
    from tocsin_fleet.line import Lines, parse_address  # noqa: PLC0415
    from tocsin_fleet.roster import Identities  # noqa: PLC0415
    from tocsin_fleet.rounds import Fleet  # noqa: PLC0415

    places = _places(options)
    identities = Identities(options.state)
    kept = identities.read()
    url, fingerprint = _server(places, kept)
    lines = Lines(parse_address(options.url or url, fingerprint), most=options.connections)
    counts = Counts()
    telling = asyncio.create_task(_tell(counts))
    try:
        enrolled = await enrol_all(places, kept, identities, lines, counts)
        begun_ms = identities.begin(round((time.time() - options.ahead) * 1000))
        await Fleet(
            enrolled, lines, counts, seed=options.seed, begun_ms=begun_ms, has_incidents=not options.calm
        ).run()
    finally:
        telling.cancel()
        lines.close()
        print(counts.line(), flush=True)


async def _tell(counts: Counts) -> None:
    while True:
        await asyncio.sleep(COUNTS_EVERY_S)
        print(counts.line(), flush=True)


def _places(options: argparse.Namespace) -> "list[Place]":
    from tocsin_fleet.roster import invited, read_roster  # noqa: PLC0415 - as above

    if options.roster:
        return read_roster(options.roster)[: options.hosts]
    if not options.invitation:
        raise FleetError("there is nobody to simulate: give a --roster, or an --invitation for each host")
    return invited(options.invitation, len(options.invitation) if options.hosts is None else options.hosts)


def _server(places: "Sequence[Place]", kept: "Mapping[str, Kept]") -> tuple[str, str]:
    """URL and fingerprint as the first host knows them: all hosts of a fleet have one server."""
    from tocsin_fleet.roster import understood  # noqa: PLC0415 - as above

    for place in places:
        if place.key in kept:
            return kept[place.key].url, kept[place.key].fingerprint
        if place.invitation:
            invitation = understood(place.invitation)
            return invitation.url, invitation.fingerprint
    raise FleetError("no host of the roster has an invitation or a key in --state: make the roster anew")
