"""The provider of `tocsin up --demo`: clients under contract with sites and hosts, simulated and called so.

What is here is decided by names and numbers alone, so that a second start finds the same hosts.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, count, islice

from sqlmodel import Session, col, select

from tocsin_protocol.vocabulary import HostKind
from tocsin_server.cli.deeds import new_client, new_invitation, new_site
from tocsin_server.cli.democontracts import keep_contracts
from tocsin_server.errors import Conflict
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.identity import ServerIdentity
from tocsin_server.estate.sites import site_named
from tocsin_server.estate.store import Client, Host, Site, known

MARK = " (simulated)"
"""Stands behind every client's name."""
DAY_MS = 86_400_000
_DESKTOP = "desk"


@dataclass(frozen=True, slots=True)
class DemoSite:
    """A site of a simulated client; `hosts` are its hosts' names without the site's prefix."""

    client: str
    client_name: str
    slug: str
    name: str
    prefix: str
    hosts: str


SITES = (
    DemoSite("acme", "Acme GmbH", "berlin", "Berlin", "ber", "web1 web2 db1 mail1 files1 desk1 desk2 desk3"),
    DemoSite("acme", "Acme GmbH", "hamburg", "Hamburg", "ham", "web1 backup1 desk1 desk2"),
    DemoSite("globex", "Globex SA", "lyon", "Lyon", "lyo", "erp1 erp2 db1 db2 mail1 dns1 print1 desk1 desk2"),
    DemoSite("globex", "Globex SA", "paris", "Paris", "par", "web1 web2 web3 cache1 desk1 desk2 desk3"),
    DemoSite("initech", "Initech Ltd", "london", "London", "lon", "app1 app2 db1 git1 desk1 desk2"),
    DemoSite("initech", "Initech Ltd", "leeds", "Leeds", "lds", "files1 vpn1 desk1 desk2"),
    DemoSite(
        "soylent", "Soylent SpA", "milano", "Milano", "mil", "lab1 lab2 lims1 db1 files1 vpn1 desk1 desk2"
    ),
    DemoSite("soylent", "Soylent SpA", "torino", "Torino", "tor", "lab1 db1 proxy1 desk1"),
    DemoSite("hooli", "Hooli Inc", "madrid", "Madrid", "mad", "web1 web2 api1 api2 queue1 db1 desk1"),
    DemoSite("hooli", "Hooli Inc", "lisbon", "Lisbon", "lis", "build1 build2 desk1 desk2"),
)


@dataclass(frozen=True, slots=True)
class DemoHost:
    """A host as the simulator is told of it; `invitation` is empty where it has enrolled."""

    client: str
    site: str
    name: str
    kind: HostKind
    invitation: str


def planned(hosts: int | None) -> Iterator[tuple[DemoSite, str]]:
    """Each host with its site: those of the table, or so many; beyond the table applications in turn."""
    table = ((site, f"{site.prefix}-{word}") for site in SITES for word in site.hosts.split())
    if hosts is None:
        return table
    rounds = chain.from_iterable(((site, number) for site in SITES) for number in count(1))
    more = ((site, f"{site.prefix}-node{number}") for site, number in rounds)
    return islice(chain(table, more), hosts)


def found_demo(
    session: Session, identity: ServerIdentity, url: str, *, hosts: int | None, now_ms: int
) -> list[dict[str, str]]:
    """Whatever is missing of clients, sites and contracts, and an invitation for each host that is."""
    _refuse_real_clients(session)
    sites = {site: _founded(session, site, now_ms) for site in SITES}
    keep_contracts(session, now_ms)
    taken = _enrolled(session)
    told = []
    for demo, name in planned(hosts):
        site = sites[demo]
        kind = HostKind.DESKTOP if _DESKTOP in name else HostKind.SERVER
        invitation = ""
        if (known(site.client_id), name) not in taken:
            invitation = new_invitation(
                session, identity, site, url, kind=kind, now_ms=now_ms, expires_ms=now_ms + DAY_MS
            )
        told.append(asdict(DemoHost(demo.client, demo.slug, name, kind, invitation)))
    return told


def _refuse_real_clients(session: Session) -> None:
    real = [client.slug for client in session.exec(select(Client)) if not client.name.endswith(MARK)]
    if real:
        raise Conflict(
            f"this data folder has real clients ({', '.join(sorted(real)[:3])}): a demo would mix with them",
            remedy="give it a folder of its own with --data",
        )


def _founded(session: Session, demo: DemoSite, now_ms: int) -> Site:
    client = client_named(session, demo.client, missing_ok=True) or new_client(
        session, demo.client, f"{demo.client_name}{MARK}", now_ms
    )
    return site_named(session, client, demo.slug, missing_ok=True) or new_site(
        session, client, demo.slug, demo.name, now_ms
    )


def _enrolled(session: Session) -> set[tuple[int, str]]:
    """Client and name of the hosts in service."""
    rows = session.exec(select(Host.client_id, Host.name).where(col(Host.retired_ms).is_(None)))
    return {(client_id, name) for client_id, name in rows}
