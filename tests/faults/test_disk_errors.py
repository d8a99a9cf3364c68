"""A disk that fails now and then, or is slow: what it did not keep is never acked, and the server goes on.

strace lets every so-many-th call of each thread fail and records the others. A call that has failed is no sync,
so the least that a power cut would leave tells whether anything was acked that was not on the disk.
"""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faults.aftermath import doubled_by_server, kept_by_server, lost_by_server
from tests.faults.disk import Disk, Fate, Names
from tests.faults.life import Technician, Told
from tests.faults.oracle import PushingAgent, stored_frames
from tests.faults.recording import Recorder, lay
from tests.processes import ServerProcess, until

LOOPS = int(os.environ.get("TOCSIN_FAULT_LOOPS", "3"))
POINTS = 100 if LOOPS >= 100 else 15
FRAMES = 60 * (5 if LOOPS >= 100 else 1)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    "fault",
    [
        "fdatasync:error=EIO:when=5+3",
        "pwrite64:error=ENOSPC:when=20+97",  # a comment takes some forty of them: some have to come through
        "fdatasync:delay_exit=100ms:when=1+1",
    ],
)
def test_nothing_is_acked_that_the_disk_did_not_keep(
    strace: str, tmp_path: Path, report: Callable[[str], None], fault: str
) -> None:
    told = Told()
    with ServerProcess(tmp_path / "server", toml="interval_s = 1\n") as server:
        prepared = json.loads(server.command("prepare", "--url", server.url).stdout)
        told.session = prepared["session"]
        calls = Recorder(server.data)
        server.under = calls.under(fault)
        server.start()
        agent = PushingAgent(server, "atlas", tmp_path, prepared["invitation"])
        technician = Technician(server, told.session, told)
        for thread in (agent, technician):
            thread.start()
        until(
            "enough is acked", lambda: len(agent.oracle.acked) > FRAMES and len(told.comments) > 2, seconds=60
        )
        for thread in (agent, technician):
            thread.end()
        assert server.stop() == 0
        calls.take()
    told.frames |= agent.oracle.acked_s
    chance = random.Random(fault)

    lost, doubled = [], []
    for count in sorted(chance.choices(range(1, len(calls.events) + 1), k=POINTS)):
        kept = kept_by_server(_left(calls, count, chance, tmp_path / "left"))
        lost += lost_by_server(kept, told, calls.events[count - 1].at_s)
        doubled += doubled_by_server(kept)

    report(
        f"{fault}: {len(told.frames)} frames acked, refusals {dict(agent.refusals)}; "
        f"{POINTS} power cuts, {len(lost)} lost, {len(doubled)} doubled"
    )
    assert (lost, doubled) == ([], [])
    assert set(agent.refusals) <= {503}
    assert bool(agent.refusals) == ("error" in fault)


def _left(calls: Recorder, count: int, chance: random.Random, folder: Path) -> Path:
    """The least that is left when the power goes after so many events."""
    disk = Disk(Names.JOURNALLED, calls.first)
    for recorded in calls.events[:count]:
        disk.apply(recorded.event)
    shutil.rmtree(folder, ignore_errors=True)
    lay(disk.image(chance, Fate.LOST), folder)
    return folder


def test_while_nothing_can_be_written_the_server_says_so_shows_what_it_has_and_is_well_again_by_itself(
    strace: str, tmp_path: Path
) -> None:
    with ServerProcess(tmp_path / "server", toml="interval_s = 1\n") as server:
        prepared = json.loads(server.command("prepare", "--url", server.url).stdout)
        # As on a file system that was mounted read-only, for so many writes of each thread.
        server.under = Recorder(server.data).under("pwrite64:error=EROFS:when=30..130")
        server.start()
        agent = PushingAgent(server, "atlas", tmp_path, prepared["invitation"])
        agent.start()
        until("the server ails", lambda: not server.is_ready())
        with server.api(prepared["session"]) as api:
            seen = api.get("/tickets").status_code
        until("the server is well again", server.is_ready, seconds=60)
        acked = len(agent.oracle.acked)
        until("pushes are stored again", lambda: len(agent.oracle.acked) > acked)
        agent.end()
        assert server.stop() == 0

    stored = stored_frames(server.data / "journal")
    assert seen == 200
    assert set(agent.refusals) == {503}
    assert agent.oracle.acked <= set(stored)
    assert len(stored) == len(set(stored))
