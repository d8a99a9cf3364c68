"""A Wednesday at noon at an outsourcer with four clients: what the fake server serves, always the same."""

import math
from datetime import UTC, datetime, timedelta

import msgspec

from tocsin_protocol.alerts import Alert, Suppression
from tocsin_protocol.clocks import TicketClock
from tocsin_protocol.hosts import HostDetail, HostRow, Reading, Vitals
from tocsin_protocol.people import Person
from tocsin_protocol.query import Chart
from tocsin_protocol.silences import Silence
from tocsin_protocol.status import RuleProblem, ServerStatus
from tocsin_protocol.tickets import TicketDetail, TicketEvent, TicketRow, TicketTie
from tocsin_protocol.vocabulary import (
    ActorKind,
    AlertState,
    HostKind,
    HostState,
    Role,
    SeriesKind,
    Severity,
    SilenceState,
    SuppressionKind,
    TicketEventKind,
    TicketKind,
    TicketState,
)

NOW = datetime(2026, 11, 25, 12, 45, tzinfo=UTC)
ALICE = Person(id=1, login="alice", name="Alice", role=Role.TECHNICIAN)
STATUS = ServerStatus(
    version="0.1.0",
    now=NOW,
    hosts=41,
    hosts_silent=1,
    series=12_950,
    rules=31,
    rule_problems=[],
    evaluation_ms=3.1,
    waits_for=["customer", "vendor", "approval", "schedule"],
)


def problem(file: str, group: str, rule: str, reason: str) -> RuleProblem:
    return RuleProblem(file=file, group=group, rule=rule, reason=reason)


PROBLEMS = [
    problem(
        "/etc/tocsin/rules/datacenter.yml", "filesystems", "FilesystemFull",
        "line 14: 'for' must be a duration such as 5m, got '5'",
    ),
    problem(
        "/etc/tocsin/rules/datacenter.yml", "", "",
        "line 31: the group 'filesystems' stands here for the second time; the first is at line 3",
    ),
    problem(
        "/etc/tocsin/rules/mail.yml", "queues", "QueueGrows",
        "line 7: predict_linear(mailq_length[1h]) wants 2 arguments, has 1:\n"
        "predict_linear(mailq_length{queue=~'deferred|active', instance!~'test-.+', job='node'}[1h]) > 5000",
    ),
    problem("/etc/tocsin/suppressions", "", "monthly patches", "no client is called 'acmee'"),
]  # fmt: skip
"""What is wrong with the files on a bad morning."""
FULL = "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.03"
DEFAULT_TITLE = "/srv/mail on atlas is 97.7 % full"


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def a_ticket(id_: int = 4812, **changes) -> TicketRow:
    """The ticket of the story, unless said otherwise."""
    fields = {
        "version": 1,
        "title": DEFAULT_TITLE,
        "state": TicketState.NEW,
        "priority": 1,
        "client": "acme",
        "site": "berlin",
        "host": "atlas",
        "host_id": 1,
        "owner": None,
        "severity": Severity.CRITICAL,
        "alert_state": AlertState.FIRING,
        "recovered": False,
        "opened_at": ago(7),
        "updated_at": ago(7),
        "solved_at": None,
    }
    return TicketRow(id=id_, **(fields | changes))


def _row(id_, priority, minutes, client, host, title, owner=None, **changes) -> TicketRow:
    state = TicketState.IN_PROGRESS if owner else TicketState.NEW
    base = {"severity": Severity.WARNING, "state": state, "updated_at": ago(minutes), "host_id": id_ % 97 + 10}
    return a_ticket(
        id_,
        priority=priority,
        opened_at=ago(minutes),
        client=client,
        host=host,
        title=title,
        owner=owner,
        **(base | changes),
    )


def tickets() -> list[TicketRow]:
    """The open tickets of the scene."""
    quiet = {"alert_state": None, "severity": None}
    return [
        a_ticket(),
        _row(
            4809,
            2,
            22,
            "nord",
            "db-ber-02",
            "replication lag 412 s on db-ber-02",
            "bob",
            alert_state=AlertState.FIRING,
        ),
        _row(4811, 2, 11, "kiel", "nas-01", "md0 is degraded: 3 of 4 disks"),
        _row(4797, 2, 64, "acme", "mail-01", "9 412 messages wait in the queue", "alice"),
        _row(4802, 2, 38, "acme", "vpn-gw-2", "eth0 receives with 41 errors a second"),
        _row(
            4790, 3, 129, "nord", "ws-0231", "the battery of ws-0231 holds 34 %", alert_state=AlertState.PENDING
        ),
        _row(
            4788,
            3,
            141,
            "kiel",
            "ws-0019",
            "nothing heard of ws-0019 for 9 minutes",
            alert_state=AlertState.UNKNOWN,
        ),
        _row(4785, 3, 190, "oslo", "app-03", "/var on app-03 fills up within 20 hours", "bob"),
        _row(
            4781,
            3,
            233,
            "oslo",
            "app-04",
            "the clock of app-04 is 41 s behind",
            recovered=True,
            alert_state=AlertState.RESOLVED,
        ),
        _row(4770, 3, 302, "acme", "hv-11", "memory pressure on hv-11: 93 % used"),
        _row(4766, 3, 410, "nord", "sw-core-1", "Te1/0/3 drops frames on sw-core-1", "alice"),
        _row(
            4748,
            4,
            1502,
            "acme",
            "ws-0442",
            "new starter on 2 December: notebook, accounts",
            kind=TicketKind.REQUEST,
            **quiet,
        ),
        _row(4741, 4, 2210, "nord", None, "second monitor for the front desk", "bob", **quiet),
    ]


def solved() -> list[TicketRow]:
    """Two that are done."""
    done = {"state": TicketState.SOLVED, "alert_state": AlertState.RESOLVED}
    return [
        _row(
            4795, 2, 75, "oslo", "app-03", "load 41 on 8 processors of app-03", "bob", solved_at=ago(12), **done
        ),
        _row(4760, 3, 600, "acme", "atlas", "atlas has restarted", "alice", solved_at=ago(540), **done),
    ]


def alert(row: TicketRow) -> Alert:
    """The alert behind a ticket."""
    is_full = row.id == 4812
    return Alert(
        id=row.id + 1000,
        state=row.alert_state or AlertState.FIRING,
        alertname="FilesystemFull" if is_full else "HostReading",
        severity=row.severity,
        client=row.client,
        host=row.host,
        host_id=row.host_id,
        ticket_id=row.id,
        rule_file="datacenter.yml",
        rule_group="filesystems" if is_full else "hosts",
        expression=FULL if is_full else "node_reading > 0.9",
        labels={
            "alertname": "FilesystemFull",
            "instance": row.host or "",
            "job": "node",
            "device": "/dev/sdb1",
            "fstype": "ext4",
            "mountpoint": "/srv/mail",
        },
        annotations={"summary": row.title, "description": "Less than 3 % is free: writes will fail soon."},
        value=0.0231 if is_full else 0.934,
        active_at=row.opened_at,
        fired_at=row.opened_at,
        resolved_at=None,
    )


def withheld(kind: SuppressionKind, words: str) -> Suppression:
    return Suppression(kind=kind, name="3", words=words)


SILENCE = withheld(SuppressionKind.SILENCE, "silence 3 by ada until 14:00 UTC: disk swap")


def a_silence(id_: int = 3, **changes) -> Silence:
    """A silence that holds, for another hour and a quarter."""
    fields = {
        "client": "nord", "matchers": '{alertname="InterfaceDown",instance="sw-core-1"}',
        "state": SilenceState.ACTIVE, "starts_at": ago(45), "ends_at": ago(-75), "author": "ada",
        "comment": "disk swap",
    }  # fmt: skip
    return Silence(id=id_, **(fields | changes))


def silences() -> list[Silence]:
    """Two that hold, one of all clients; one to come; two that are over, one of them for long."""
    over = {"state": SilenceState.EXPIRED}
    return [
        a_silence(),
        a_silence(
            7, client=None, author="alice", ends_at=ago(-12), starts_at=ago(108),
            matchers='{alertname=~"CertificateExpires.*",severity!="critical",instance=~"(www|shop|mail)-.+"}',
            comment="the new certificates are ordered, the old ones last until Friday; see change 4711",
        ),
        a_silence(
            8, client="oslo", author="bob", state=SilenceState.PENDING, starts_at=ago(-555), ends_at=ago(-915),
            matchers='{site="oslo"}', comment="the electricians come",
        ),
        a_silence(5, client="acme", starts_at=ago(300), ends_at=ago(180), comment="", **over),
        a_silence(
            1, client="kiel", author="bob", starts_at=ago(600_000), ends_at=ago(599_000),
            matchers='{alertname="HostSilent"}', comment="moved to the other building", **over,
        ),
    ]  # fmt: skip


def an_alert(id_: int, alertname: str, host: str | None, client: str, minutes: float, **changes) -> Alert:
    """An alert without a ticket."""
    fields = {
        "state": AlertState.FIRING, "severity": Severity.WARNING, "ticket_id": None, "host_id": id_ % 97 + 10,
        "rule_file": "network.yml", "rule_group": "ports", "expression": 'ifOperStatus{ifAlias!=""} != 1',
        "labels": {"alertname": alertname, "instance": host or "", "job": "snmp", "severity": "warning"},
        "annotations": {}, "value": 2.0, "active_at": ago(minutes), "fired_at": ago(minutes),
        "resolved_at": None,
    }  # fmt: skip
    return Alert(id=id_, alertname=alertname, host=host, client=client, **(fields | changes))


def quiet() -> list[Alert]:
    """What is going on and opens no ticket, for each reason that there is."""
    maintenance = withheld(
        SuppressionKind.MAINTENANCE,
        "maintenance oslo-patches until 16:00 UTC: kernel updates, one host at a time",
    )
    inhibited = withheld(SuppressionKind.INHIBITED, "inhibited by HostSilent of app-04, rule one-trouble")
    parent = withheld(SuppressionKind.PARENT_DOWN, "parent sw-kiel-1 is down")
    flapping = withheld(
        SuppressionKind.FLAPPING, "flapping: it began or ended in 9 of the last 21 stretches of 5 minutes"
    )
    return [
        an_alert(9001, "InterfaceDown", "sw-core-1", "nord", 25, suppressed=[SILENCE], suppressed_at=ago(24)),
        an_alert(
            9002, "HostSilent", "nas-02", "kiel", 4, suppressed=[parent], state=AlertState.UNKNOWN,
            severity=Severity.CRITICAL,
        ),
        an_alert(9003, "ClockSkew", "app-04", "oslo", 233, suppressed=[maintenance, inhibited]),
        an_alert(9004, "CpuBusy", "hv-11", "acme", 3, state=AlertState.PENDING, fired_at=None),
        an_alert(9005, "LinkErrors", "vpn-gw-1", "acme", 95, suppressed=[flapping], severity=Severity.INFO),
        an_alert(
            9006, "ManyHostsSilent", None, "nord", 61, host_id=None, severity=None, acknowledged_by="bob",
            acknowledged_at=ago(50),
        ),
    ]  # fmt: skip


def question(row: TicketRow) -> TicketEvent:
    """Somebody has asked from her machine, which was like this."""
    return TicketEvent(
        id=row.id * 10,
        at=row.opened_at,
        kind=TicketEventKind.OPENED,
        actor_kind=ActorKind.HOST,
        actor=f"carla on {row.host}",
        text=f"{row.title}.\nShe starts at nine, and sits with sales.",
        data={
            "cpu_ratio": 0.07, "memory_ratio": 0.41, "filesystem_ratio": 0.62, "filesystem_mountpoint": "/",
            "load1": 0.3, "uptime_s": 93_600.0, "seen_at": "2026-11-24T11:43:00.000Z",
        },
    )  # fmt: skip


def events(row: TicketRow) -> list[TicketEvent]:
    """What has happened to a ticket."""
    if row.kind is TicketKind.REQUEST:
        return [question(row)]
    opened = TicketEvent(
        id=row.id * 10,
        at=row.opened_at,
        kind=TicketEventKind.OPENED,
        actor_kind=ActorKind.RULE,
        actor="FilesystemFull" if row.id == 4812 else "HostReading",
        text=row.title,
        data={
            "value": 0.0231,
            "labels": {"device": "/dev/sdb1", "mountpoint": "/srv/mail", "instance": row.host or ""},
        },
    )
    return [opened]


def story() -> list[TicketEvent]:
    """The ticket of the story an hour on, for the screens that show a timeline."""

    def event(id_, minutes, kind, actor_kind, actor, text, **data):
        return TicketEvent(
            id=id_, at=ago(minutes), kind=kind, actor_kind=actor_kind, actor=actor, text=text, data=data
        )

    return [
        *events(a_ticket()),
        event(2, 5, TicketEventKind.TAKEN, ActorKind.PERSON, "alice", ""),
        event(
            3, 3, TicketEventKind.COMMENTED, ActorKind.PERSON, "alice",
            "The queue of mail-01 spills over to /srv/mail since 12:31.\nMoving the archive to nas-01.",
        ),
        event(4, 1, TicketEventKind.COMMENTED, ActorKind.PERSON, "bob", "nas-01 is degraded: use nas-02."),
    ]  # fmt: skip


def tied(detail: TicketDetail, ties: list[TicketTie]) -> TicketDetail:
    """With other tickets that belong to it."""
    return msgspec.structs.replace(detail, ties=ties)


def hushed(was: TicketDetail) -> TicketDetail:
    """A ticket as it is once it is acknowledged, and its alert withheld for two reasons."""
    acknowledged = TicketEvent(
        id=99, at=ago(3), kind=TicketEventKind.ACKNOWLEDGED, actor_kind=ActorKind.PERSON, actor="ada", text="",
        data={},
    )  # fmt: skip
    reasons = [SILENCE, quiet()[2].suppressed[0]]
    known = msgspec.structs.replace(
        was.alerts[0], suppressed=reasons, suppressed_at=ago(4), acknowledged_by="ada", acknowledged_at=ago(3)
    )
    return msgspec.structs.replace(was, events=[*was.events, acknowledged], alerts=[known])


def waiting(was: TicketDetail) -> TicketDetail:
    """A ticket that waits for a vendor until tomorrow."""
    event = TicketEvent(
        id=99, at=ago(3), kind=TicketEventKind.WAITING, actor_kind=ActorKind.PERSON, actor="ada",
        text="ordered, DHL brings it", data={"for": "vendor"},
    )  # fmt: skip
    row = msgspec.structs.replace(
        was.ticket,
        state=TicketState.PENDING,
        team="servers",
        waits_for="vendor",
        wakes_at=NOW + timedelta(days=1),
    )
    opened = msgspec.structs.replace(was.events[0], data={**was.events[0].data, **RULED})
    return msgspec.structs.replace(was, ticket=row, events=[opened, event])


def replied(was: TicketDetail) -> TicketDetail:
    """A ticket that is solved after who asked was told, and that closes by itself in three days."""
    reply = TicketEvent(
        id=98, at=ago(3), kind=TicketEventKind.COMMENTED, actor_kind=ActorKind.PERSON, actor="ada",
        text="The archive is on nas-02 now.\nThere is room for a year.", data={}, public=True,
    )  # fmt: skip
    solved = TicketEvent(
        id=99, at=ago(1), kind=TicketEventKind.SOLVED, actor_kind=ActorKind.PERSON, actor="ada", text="moved",
        data={"decided": ["auto_close@4ae0b771259a row incident"]},
    )  # fmt: skip
    row = msgspec.structs.replace(
        was.ticket,
        state=TicketState.SOLVED,
        owner="ada",
        solved_at=ago(1),
        closes_at=ago(1) + timedelta(days=3),
    )
    return msgspec.structs.replace(was, ticket=row, events=[*was.events, reply, solved])


def clocked(was: TicketDetail) -> TicketDetail:
    """A ticket that was taken in time, answered too late, and is to be solved in an hour and a half."""

    def clock(kind, state, target_min, elapsed_min, **changes):
        target_s, elapsed_s = target_min * 60.0, elapsed_min * 60.0
        fields = {
            "agreement": "premium", "type": "sla", "priority": 1, "round": 1, "calendar": "jours ouvrés",
            "zone": "Europe/Paris", "reason": "", "started_at": ago(150), "due_at": ago(150 - target_min),
            "ended_at": None, "segments": [], "target_s": target_s, "elapsed_s": elapsed_s,
            "remaining_s": target_s - elapsed_s,
        }  # fmt: skip
        return TicketClock(kind=kind, state=state, **(fields | changes))

    clocks = [
        clock("resolve", "superseded", 480, 20, priority=2, ended_at=ago(130)),
        clock("ack", "met", 30, 12, ended_at=ago(138)),
        clock("first_response", "breached", 60, 75, ended_at=ago(75)),
        clock("resolve", "running", 240, 150),
        clock("update", "met", 60, 40, ended_at=ago(35)),
        clock("update", "breached", 20, 35, round=2, due_at=ago(15)),
    ]
    row = msgspec.structs.replace(was.ticket, due_at=ago(15), due_state="breached", opened_at=ago(150))
    return msgspec.structs.replace(was, ticket=row, clocks=clocks)


RULED: dict = {
    "priority": "1: much of the client is touched, and it hurts now",
    "team": "servers",
    "decided": [
        "triage@2228d041fc0b row critical",
        "priority@26b79f40c403 row high-high",
        "routing@089939b4fc2b row server",
    ],
}
"""What the decision tables have said of a ticket."""


def detail(row: TicketRow) -> TicketDetail:
    """A ticket with everything."""
    alerts = [alert(row)] if row.alert_state is not None else []
    return TicketDetail(ticket=row, events=events(row), alerts=alerts)


def chart(of: Alert, minutes: int = 40) -> Chart:
    """Free space that goes down in waves, below its threshold when the alert fires."""
    steps = minutes * 6
    fired = max(9.0, steps - (NOW - (of.fired_at or NOW)).total_seconds() / 10)
    values: list[float | None] = [
        max(0.0212, 0.03 + 0.088 * (1 - (i / fired) ** 1.7) + 0.006 * math.sin((fired - i) / 9))
        for i in range(steps)
    ]
    values[30:42] = [None] * 12
    return Chart(
        title="node_filesystem_avail_bytes / node_filesystem_size_bytes",
        unit="ratio",
        start=NOW - timedelta(seconds=10 * (steps - 1)),
        step_s=10,
        values=values,
        threshold=0.03,
        operator="<",
        marks={"fired": of.fired_at} if of.fired_at else {},
    )


def hosts() -> list[HostRow]:
    """Some hosts of each client."""

    def host(id_, name, client, site, cpu, mem, disk, load, **changes):
        fields = {
            "kind": HostKind.SERVER, "job": "node", "state": HostState.UP, "last_seen": ago(0.07),
            "os": "Debian 12", "agent_version": "0.1.0", "open_tickets": 0, "worst_priority": None,
        }  # fmt: skip
        vitals = Vitals(
            cpu_ratio=cpu, memory_ratio=mem, filesystem_ratio=disk, filesystem_mountpoint="/srv/mail",
            load1=load, receive_bytes_per_s=1_310_000.0, transmit_bytes_per_s=402_000.0,
            boot_at=NOW - timedelta(days=41),
        )  # fmt: skip
        return HostRow(id=id_, name=name, client=client, site=site, vitals=vitals, **(fields | changes))

    def device(id_, name, client, site, **changes):
        row = host(id_, name, client, site, None, None, None, None, os="", agent_version="", **changes)
        return msgspec.structs.replace(row, vitals=Vitals())

    return [
        host(1, "atlas", "acme", "berlin", 0.31, 0.63, 0.977, 1.9, open_tickets=1, worst_priority=1),
        host(2, "mail-01", "acme", "berlin", 0.72, 0.81, 0.61, 6.4, open_tickets=1, worst_priority=2),
        host(3, "hv-11", "acme", "hamburg", 0.44, 0.93, 0.52, 9.1, open_tickets=1, worst_priority=3),
        host(4, "db-ber-02", "nord", "berlin", 0.92, 0.71, 0.44, 18.2, open_tickets=1, worst_priority=1),
        host(5, "web-ber-07", "nord", "berlin", 0.12, 0.38, 0.35, 0.4),
        host(6, "nas-01", "kiel", "kiel", 0.05, 0.22, 0.88, 0.2, open_tickets=1, worst_priority=2),
        host(7, "ws-0019", "kiel", "kiel", None, None, None, None, kind=HostKind.DESKTOP, os="Ubuntu 24.04",
             state=HostState.SILENT, last_seen=NOW - timedelta(minutes=9), open_tickets=1, worst_priority=3),
        host(8, "app-03", "oslo", "oslo", 0.21, 0.55, 0.83, 2.2, open_tickets=1, worst_priority=3),
        host(9, "app-05", "oslo", "oslo", None, None, None, None, state=HostState.AWAITED, last_seen=None,
             os=""),
        device(10, "sw-core-1", "nord", "berlin", kind=HostKind.NETWORK, job="snmp", open_tickets=1,
               worst_priority=3),
        device(11, "shop", "acme", "berlin", kind=HostKind.APPLICATION, job="blackbox"),
    ]  # fmt: skip


def reading(name: str, value: float | None, kind: SeriesKind = SeriesKind.GAUGE, **labels: str) -> Reading:
    """The last sample of a series."""
    return Reading(name=name, labels=labels, kind=kind, value=value, at=NOW)


def a_switch() -> list[Reading]:
    """One port in use, one that has just gone, one switched off, one that nobody uses; and another host key."""
    ports = [
        ("Te1/0/1", "fw-1, uplink", 1, 1),
        ("Te1/0/3", "hv-11", 2, 1),
        ("Gi1/0/7", "", 2, 2),
        ("Gi1/0/9", "", 2, 1),
    ]
    found = [
        reading("sysUpTime", 41 * 8_640_000.0),
        reading("probe_success", 1.0, probe="snmp"),
        reading("probe_duration_seconds", 0.184, probe="snmp"),
        reading("probe_success", 0.0, probe="ssh"),
        reading("probe_duration_seconds", 0.031, probe="ssh"),
        reading("tocsin_probe_failure", 1.0, probe="ssh", reason="host_key_changed"),
    ]
    for index, (name, alias, oper, admin) in enumerate(ports, start=1):
        labels = {"ifIndex": str(index), "ifName": name, "ifDescr": name} | (
            {"ifAlias": alias} if alias else {}
        )
        found += [
            reading("ifOperStatus", oper, **labels),
            reading("ifAdminStatus", admin, **labels),
            reading("ifHighSpeed", 10_000.0 if name.startswith("Te") else 1000.0, **labels),
            reading("ifHCInOctets", 8.1e12 / index, SeriesKind.COUNTER, **labels),
            reading("ifHCOutOctets", 2.4e12 / index, SeriesKind.COUNTER, **labels),
        ]
    return found


def a_shop() -> list[Reading]:
    """A page that answers, with a certificate in its last days, and a server that answers pings."""
    return [
        reading("probe_success", 1.0, probe="front"),
        reading("probe_duration_seconds", 0.42, probe="front"),
        reading("probe_http_status_code", 200.0, probe="front"),
        reading("probe_http_duration_seconds", 0.4, probe="front", phase="processing"),
        reading(
            "probe_ssl_earliest_cert_expiry", (NOW + timedelta(days=9, hours=1)).timestamp(), probe="front"
        ),
        reading("probe_success", 1.0, probe="icmp"),
        reading("probe_duration_seconds", 0.012, probe="icmp"),
        reading("probe_icmp_duration_seconds", 0.011, probe="icmp", phase="rtt"),
        reading("probe_success", 0.0, probe="search"),
        reading("probe_duration_seconds", 5.0, probe="search"),
        reading("probe_http_status_code", 0.0, probe="search"),
        reading("tocsin_probe_failure", 1.0, probe="search", reason="timeout"),
    ]


def host_detail(row: HostRow) -> HostDetail:
    """A host with readings, its alert and its ticket."""
    if row.job != "node":
        readings = a_switch() if row.job == "snmp" else a_shop()
        mine = [ticket for ticket in tickets() if ticket.host == row.name]
        return HostDetail(
            host=row,
            readings=readings,
            alerts=[alert(ticket) for ticket in mine],
            tickets=mine,
            parents=["fw-1"],
            probed_by="db-ber-02" if row.job == "snmp" else "atlas",
        )
    readings = [
        reading("node_boot_time_seconds", 1_790_000_000.0),
        reading("node_cpu_seconds_total", 412_009.12, SeriesKind.COUNTER, cpu="0", mode="idle"),
        reading("node_cpu_seconds_total", 91_234.5, SeriesKind.COUNTER, cpu="0", mode="user"),
        reading("node_filesystem_avail_bytes", 4_812_009_472.0, device="/dev/sdb1", mountpoint="/srv/mail"),
        reading("node_filesystem_size_bytes", 208_013_205_504.0, device="/dev/sdb1", mountpoint="/srv/mail"),
        reading("node_load1", 1.9),
        reading("node_memory_MemAvailable_bytes", 6_220_115_968.0),
        reading("node_network_receive_bytes_total", 8.1e11, SeriesKind.COUNTER, device="eth0"),
    ]
    mine = [ticket for ticket in [*tickets(), *solved()] if ticket.host == row.name]
    return HostDetail(
        host=row,
        readings=readings,
        alerts=[alert(t) for t in mine if t.alert_state and not t.solved_at],
        tickets=mine,
    )


def cpu_chart(minutes: int = 60) -> Chart:
    """A busy hour."""
    values: list[float | None] = [
        0.38 + 0.22 * math.sin(i / 20) + 0.08 * math.sin(i / 3) for i in range(minutes * 6)
    ]
    return Chart(
        title="cpu", unit="ratio", start=NOW - timedelta(minutes=minutes), step_s=10, values=values,
        threshold=None, operator=None, marks={},
    )  # fmt: skip
