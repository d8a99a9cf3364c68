"""The notary signs where the audit log stands, now and then, so that what is done to it afterwards shows."""

from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import insert
from sqlmodel import Session

from tocsin_server.access.audit import EMPTY, Head
from tocsin_server.access.auditlog import head_of, newest_checkpoint
from tocsin_server.access.checkpoints import Checkpoint, Signer, append, signed
from tocsin_server.access.store import CHECKPOINTS
from tocsin_server.clock import Clock
from tocsin_server.errors import Unavailable
from tocsin_server.storage.engine import Storage

_log = structlog.get_logger()


class Notary:
    """Signs where the log stands, whenever it is asked and something has been added."""

    def __init__(self, storage: Storage, signer: Signer, path: Path, clock: Clock) -> None:
        self._storage = storage
        self._signer = signer
        self._path = path
        self._clock = clock

    def sign(self) -> None:
        """Into the file, and then into the table: what fails between the two is done again."""
        head = self._storage.read(_unsigned_head)
        if head is None:
            return
        made = signed(head, at_ms=self._clock.now_ms(), signer=self._signer)
        append(self._path, made)
        self._storage.write(partial(_keep, made=made))
        _log.info("the audit log is signed", action="audit_signed", checkpoint=made.line)

    def sign_last(self) -> None:
        """The same as the server ends, which nothing may hold up."""
        try:
            self.sign()
        except Unavailable as error:
            _log.warning(f"the audit log is not signed: {error}", action="audit_unsigned")


def _unsigned_head(session: Session) -> Head | None:
    head, newest = head_of(session), newest_checkpoint(session)
    is_signed = head == EMPTY or (newest is not None and newest.entry_id >= head.id)
    return None if is_signed else head


def _keep(session: Session, *, made: Checkpoint) -> None:
    session.execute(insert(CHECKPOINTS).values(made._asdict()))
