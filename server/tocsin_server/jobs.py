"""What APScheduler runs, and how often. A job that fails is logged and runs again at its next time."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from tocsin_server.errors import Unavailable

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    """One thing that happens every so often."""

    name: str
    every_s: float
    act: Callable[[], object]


def schedule(jobs: list[Job]) -> BackgroundScheduler:
    """A scheduler that runs these; start it, and shut it down."""
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(2)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone="UTC",
    )
    for job in jobs:
        scheduler.add_job(_guarded(job), "interval", seconds=job.every_s, id=job.name)
    return scheduler


def _guarded(job: Job) -> Callable[[], None]:
    def run() -> None:
        try:
            job.act()
        except Unavailable as error:
            _log.warning(f"a job has to wait and will run again: {error}", action="job_waits", job=job.name)
        except Exception:  # noqa: BLE001 - an outermost loop: one failure must not end the job for ever
            _log.exception("a job has failed and will run again", action="job_failed", job=job.name)

    return run
