"""Agents once they have enrolled: what happened to one, and the end of its quarantine."""

from collections.abc import Iterator

from sqlmodel import Session

from tocsin_server.access.audit import Act, Deed
from tocsin_server.access.auditlog import record
from tocsin_server.cli.command import Commands, Options, command, group
from tocsin_server.cli.writing import operator, write
from tocsin_server.clock import SystemClock, moment
from tocsin_server.datafolder import look
from tocsin_server.estate.agents import Record, record_of, release, shown
from tocsin_server.estate.clients import client_named


def add_commands(commands: Commands) -> None:
    """`agent show`, `agent release`."""
    agents = group(commands, "agent")
    for parser in (
        command(agents, "show", _show, "tell who pushes for a host, and what has happened to that agent"),
        command(agents, "release", _release, "hear an agent again that was cloned, once its copy is gone"),
    ):
        parser.add_argument("client")
        parser.add_argument("host")


def _show(options: Options) -> int:
    record = look(options.data, lambda s: record_of(s, client_named(s, options.client), options.host))
    print("\n".join(_lines(record)))
    return 0


def _release(options: Options) -> int:
    who, now = operator(), SystemClock().now_ms()

    def act(session: Session) -> None:
        client = client_named(session, options.client)
        agent = release(session, client, options.host, by=who.name, now_ms=now)
        details = {"host": options.host}
        deed = Deed(Act.AGENT_RELEASED, agent.id, by=who, at_ms=now, client_id=client.id, details=details)
        record(session, deed)

    write(options, act)
    print(
        f"the agent of {options.client}'s {options.host} is heard again within two seconds;"
        " it asks once an hour: restart it to have it at once"
    )
    return 0


def _lines(record: Record) -> Iterator[str]:
    agent = record.agent
    yield f"agent {agent.id}, version {agent.version or 'unknown'}, enrolled {_when(agent.enrolled_ms)}"
    yield f"key {shown(agent.public_key)}…"
    if agent.former_key is not None and agent.former_until_ms is not None:
        yield f"key before {shown(agent.former_key)}…, accepted until {_when(agent.former_until_ms)}"
    if agent.cloned_ms is not None:
        yield f"in quarantine since {_when(agent.cloned_ms)}: two hosts run with its key"
    for event in record.events:
        said = f": {event.text}" if event.text else ""
        yield f"{_when(event.at_ms)} {event.kind.value} by {event.actor}{said}"


def _when(at_ms: int) -> str:
    return f"{moment(at_ms):%Y-%m-%d %H:%M:%S} UTC"
