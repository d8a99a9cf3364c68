"""Lives of a server that end between two steps, hundreds of them: each is a process, and kill -9 ends it.

    python -m tests.faults.lives PORT DATABASE

reads a life a line, forks a process for it, and answers with how that has ended. A life has been lived there
before, so all is loaded and compiled, and another costs what a server costs that starts, judges, opens a
ticket, gives two mails to a mail server, and has a person reopen it, which is two mails more. Real are its
process, its death, its files and the mail server at that port; time is moved, and pushes come without HTTP
(`story.py`). A database is as TOCSIN_DATABASE would name it, or "" for the file in the folder.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self, TextIO

from sqlalchemy import event, func, select
from tests.databases import compile_once
from tests.story import Story, StoryHost, found

from tocsin_protocol.vocabulary import TicketEventKind, TicketState
from tocsin_server import postman
from tocsin_server.config import MailConfig, ServerConfig
from tocsin_server.desk import work
from tocsin_server.desk.outbox import resume
from tocsin_server.desk.store import EVENTS, NOTICES
from tocsin_server.storage.address import VARIABLE
from tocsin_server.storage.engine import Storage

RULES = """
groups:
  - name: heat
    rules:
      - {alert: Hot, expr: temperature > 80, labels: {severity: critical}}
"""
CONTACTS = """\
contacts:
- {role: team, mail: team@desk.example}
- {role: on_call, page: phone@sms.example}
"""
RECIPIENTS = 2
"""Of each of what is told."""
AWAY_S = 60
"""From one life to the next."""
LIVES_S = 4
STEPS = {
    "alert and transition": "INSERT INTO transition ",
    "ticket and notices": "INSERT INTO notice ",
    "letters": "UPDATE notice SET message",
    "mail": "UPDATE notice SET state",
    "act and notices": "INSERT INTO notice ",
}
"""Each by what its transaction is the first to say in a life that comes so far."""


class Place(NamedTuple):
    """Where a server lives: its folder, and its database."""

    folder: Path
    database: str = ""

    def take(self) -> Path:
        """From now on this process's servers live here; the folder."""
        os.environ[VARIABLE] = self.database
        return self.folder


class Death(NamedTuple):
    """Before a step's transaction is committed, or as soon as something comes after it."""

    step: str
    is_before: bool


DEATHS = [Death(step, is_before) for step in STEPS for is_before in (True, False)]
"""In the order in which a life comes to them."""


def prepare(place: Place) -> StoryHost:
    """Make what each loop begins with: a host, and who is told."""
    folder = place.take()
    found(folder / "founded")
    with Story(folder, founded=folder / "founded") as story:
        story.rules(RULES)
        (folder / "config" / "contacts.yml").write_text(CONTACTS)
        host = story.host("atlas")
    shutil.rmtree(folder / "founded")
    return host


class Nursery:
    """The process that others are forked from."""

    def __init__(self, log: Path, port: int, database: str) -> None:
        """`database` is an empty one for the life that it lives itself."""
        command = [sys.executable, "-m", "tests.faults.lives", str(port), database]
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
            )

    def __enter__(self) -> Self:
        assert self._answer() == 0
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def live(self, place: Place, host: StoryHost, number: int, death: Death | None) -> int:
        """One life; its exit status, which is -9 where it was killed."""
        life = [str(place.folder), place.database, host.id, host.agent, number, death]
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(life)}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def main() -> None:
    port, database = int(sys.argv[1]), sys.argv[2]
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a server says is no answer
    compile_once()
    with TemporaryDirectory() as folder:
        first = Place(Path(folder), database)
        _live(first, prepare(first), 1, port, None)
    _answer(answers, 0)
    for line in sys.stdin:
        folder, database, host_id, agent, number, death = json.loads(line)
        process = os.fork()
        if not process:
            host = StoryHost(host_id, "atlas", "acme", agent, epoch=number)
            place = Place(Path(folder), database)
            _end_with(partial(_live, place, host, number, port, death and Death(*death)))
        _, status = os.waitpid(process, 0)
        _answer(answers, os.waitstatus_to_exitcode(status))


def _answer(answers: TextIO, status: int) -> None:
    answers.write(f"{status}\n")
    answers.flush()


def _end_with(live: Callable[[], None]) -> None:
    """Nothing else may run on in the copy of a process, whatever happens."""
    status = 1
    try:
        live()
        status = 0
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)


def _live(place: Place, host: StoryHost, number: int, port: int, death: Death | None) -> None:
    mail = MailConfig(host="127.0.0.1", port=port, security="none", sender="tocsin@desk.example")
    with Story(place.take(), settings=ServerConfig(mail=mail), after_s=number * AWAY_S) as story:
        storage, clock = story.server.storage, story.clock
        _require_whole(storage)
        storage.write(lambda session: resume(session, clock.now_ms()))
        if death is not None:
            _kill_at(storage, death)
        story.push(host, {"temperature": 90.0}, at=1)
        for moment in range(1, LIVES_S + 1):
            story.turn_until(moment)
            story.server.postman.deliver()
        _reopen(story)
        story.turn_until(LIVES_S + 1)
        story.server.postman.deliver()
        _require_whole(storage)


def _reopen(story: Story) -> None:
    """Alice does it once, whatever she has come to before."""
    (ticket,) = story.tickets()
    if TicketEventKind.REOPENED in story.kinds(ticket.id):
        return
    if ticket.state is not TicketState.SOLVED:
        story.resolve(ticket.id)
    story.act(work.reopen, ticket.id)


def _require_whole(storage: Storage) -> None:
    """What is told has its notices from the moment it is there."""
    told = select(func.count()).where(EVENTS.c.kind.in_((TicketEventKind.OPENED, TicketEventKind.REOPENED)))
    asked = select(told.scalar_subquery(), select(func.count()).select_from(NOTICES).scalar_subquery())
    entries, notices = storage.read(lambda session: session.execute(asked).one())
    assert notices == RECIPIENTS * entries, f"{entries} entries have {notices} notices"


def _kill_at(storage: Storage, death: Death) -> None:
    """Let the process die there."""
    seen = committed = False

    def look(statement: str) -> None:
        nonlocal seen
        if committed:
            os.kill(os.getpid(), signal.SIGKILL)
        seen = seen or statement.startswith(STEPS[death.step])

    def commit(_connection: object) -> None:
        nonlocal committed
        if seen and death.is_before:
            os.kill(os.getpid(), signal.SIGKILL)
        committed = committed or seen

    engine = storage._writer
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, statement, *_: look(statement))
    event.listen(engine, "commit", commit)
    postman.give = _before(postman.give, lambda: look(""))


def _before(act: Callable[..., str], also: Callable[[], None]) -> Callable[..., str]:
    def run(*given: Any, **named: Any) -> str:
        also()
        return act(*given, **named)

    return run


if __name__ == "__main__":
    main()
