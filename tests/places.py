"""Clients with their hosts, as plain rows."""

from collections.abc import Mapping

from sqlalchemy import insert
from sqlmodel import Session

from tocsin_protocol.vocabulary import HostKind
from tocsin_server.estate.store import Client, Host, Site


def add_places(
    session: Session, clients: Mapping[int, str], hosts: Mapping[int, tuple[int, str]], *, at_ms: int = 0
) -> None:
    """Clients by id with their slug, each with a site `hq` of the same id; hosts by id with client and name."""
    rows = [{"id": n, "slug": slug, "name": slug.title(), "created_ms": at_ms} for n, slug in clients.items()]
    session.execute(insert(Client), rows)
    session.execute(insert(Site), [row | {"client_id": row["id"], "slug": "hq", "name": "HQ"} for row in rows])
    session.execute(
        insert(Host),
        [
            {
                "id": host_id,
                "client_id": client_id,
                "site_id": client_id,
                "name": name,
                "kind": HostKind.SERVER,
                "job": "node",
                "os": "",
                "enrolled_ms": at_ms,
            }
            for host_id, (client_id, name) in hosts.items()
        ],
    )
