"""`notices`: what is not sent, and whether the mail server takes anything."""

import json
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlmodel import Session
from tests.server.cli.operators import Operator
from tests.server.desk.world import NOW, World
from tests.server.test_postman import Sink, serving

from tocsin_protocol.vocabulary import NoticeState
from tocsin_server.clock import FakeClock
from tocsin_server.desk.store import NOTICES
from tocsin_server.storage.engine import Storage


@pytest.fixture
def operator(tmp_path: Path, empty_database: bytes, capsys: pytest.CaptureFixture[str]) -> Operator:
    (tmp_path / "tocsin.db").write_bytes(empty_database)
    return Operator("notices", tmp_path, FakeClock(), capsys)


def put(data: Path) -> None:
    """One notice that waits, one that has failed and one that is sent."""

    def act(session: Session) -> None:
        for place, state in enumerate((NoticeState.WAITING, NoticeState.FAILED, NoticeState.SENT)):
            row = {
                "client_id": 1,
                "ticket_id": 1,
                "event_id": 1,
                "channel": "mail",
                "recipient": f"{state}@desk.example",
                "subject": f"[tocsin #1] opened: {place}\x1b[31m",
                "text": "",
                "decided": "",
                "made_ms": NOW,
                "state": state,
                "next_ms": NOW,
                "message": "",
                "attempts": place,
                "reason": "550 no such user" if place else "",
            }
            session.execute(insert(NOTICES), [row])

    with Storage(data / "tocsin.db") as storage:
        storage.write(World.people_and_places)
        world = World(storage)
        world.fire()
        world.consume()
        storage.write(act)


def test_the_list_tells_what_waits_and_what_has_failed_and_why(operator: Operator) -> None:
    assert operator.types("list") == "no notice waits, and none has failed\n"
    put(operator.data)

    heading, *lines = operator.types("list").splitlines()

    assert heading.split() == ["made", "state", "tries", "by", "to", "subject", "why"]
    assert [line.split()[2:6] for line in lines] == [
        ["waiting", "0", "mail", "waiting@desk.example"],
        ["failed", "1", "mail", "failed@desk.example"],
    ]
    assert lines[1].endswith("550 no such user")
    assert "\x1b" not in "".join(lines)


def test_programs_get_the_same_as_json(operator: Operator) -> None:
    put(operator.data)

    told = json.loads(operator.types("list --json"))

    assert [(each["state"], each["attempts"], each["reason"], each["made_ms"]) for each in told] == [
        ("waiting", 0, "", NOW),
        ("failed", 1, "550 no such user", NOW),
    ]


def settings(folder: Path, port: int) -> Path:
    path = folder / "server.toml"
    path.write_text(
        f'[mail]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\nfrom = "tocsin@desk.example"\n'
    )
    return path


def test_a_mail_can_be_tried_and_the_mail_servers_word_is_printed(operator: Operator, tmp_path: Path) -> None:
    sink = Sink()
    with serving(sink) as server:
        port = server.server.sockets[0].getsockname()[1]
        path = settings(tmp_path, port)
        said = operator.without_data(f"test --to me@desk.example --settings {path}")
        sink.refuse = "550 no such user"
        refused = operator.without_data(f"test --to me@desk.example --settings {path}")

    assert said == (0, f"127.0.0.1:{port} says: 250 taken\n", "")
    assert [mail["To"] for mail in sink.mails] == ["me@desk.example"]
    assert refused[0] == 2
    assert f"127.0.0.1:{port} did not take it (550 no such user)" in refused[2]


def test_what_cannot_be_tried_is_said_with_the_remedy(operator: Operator, tmp_path: Path) -> None:
    empty = tmp_path / "empty.toml"
    empty.write_text("")

    nowhere = operator.without_data(f"test --to me@desk.example --settings {empty}")
    nobody = operator.without_data(f"test --to me --settings {empty}")

    assert (nowhere[0], nobody[0]) == (2, 2)
    assert "name one in [mail] of server.toml" in nowhere[2]
    assert "'me' is no mail address" in nobody[2]
