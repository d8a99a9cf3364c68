"""A job that fails is run again, and never two of the same at once."""

import threading

from tocsin_server.jobs import Job, schedule


def test_a_failing_job_runs_again_at_its_next_time() -> None:
    runs = threading.Semaphore(0)

    def fail() -> None:
        runs.release()
        raise ValueError("the disk is on fire")

    scheduler = schedule([Job("failing", 0.01, fail)])
    scheduler.start()
    try:
        assert runs.acquire(timeout=5)
        assert runs.acquire(timeout=5)
    finally:
        scheduler.shutdown()
