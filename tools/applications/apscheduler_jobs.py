"""APScheduler 3 with its SQLAlchemyJobStore."""

import time
from datetime import datetime, timedelta

from apscheduler.jobstores.base import ConflictingIdError
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from checks import check, run

ran: list[str] = []


def job(name: str) -> None:
    ran.append(name)


def scheduler(url: str, *, paused: bool = False) -> BackgroundScheduler:
    made = BackgroundScheduler(jobstores={"default": SQLAlchemyJobStore(url=url)})
    made.start(paused=paused)
    return made


@check
def runs(url: str) -> None:
    """stores and runs jobs of a date and of an interval"""
    running = scheduler(url)
    running.add_job("__main__:job", "interval", seconds=0.5, args=["interval"], id="interval")
    soon = datetime.now() + timedelta(seconds=1)
    running.add_job("__main__:job", "date", run_date=soon, args=["date"], id="date")
    time.sleep(3)
    running.shutdown()
    assert {"interval", "date"} <= set(ran)


@check
def changes(url: str) -> None:
    """keeps jobs over a restart; changes, pauses and removes them"""
    running = scheduler(url, paused=True)
    assert [job.id for job in running.get_jobs()] == ["interval"]
    running.modify_job("interval", args=["changed"])
    running.reschedule_job("interval", trigger="cron", minute="*/5")
    running.pause_job("interval")
    assert running.get_job("interval").next_run_time is None
    running.resume_job("interval")
    running.remove_job("interval")
    assert running.get_jobs() == []
    running.shutdown()


@check
def conflicts(url: str) -> None:
    """refuses a job with an id that exists, and replaces one"""
    running = scheduler(url, paused=True)
    running.add_job("__main__:job", "cron", minute=0, id="one", args=["1"])
    try:
        running.add_job("__main__:job", "cron", minute=0, id="one", args=["1"])
    except ConflictingIdError:
        pass
    else:
        raise AssertionError("stored twice")
    running.add_job("__main__:job", "cron", minute=1, id="one", args=["2"], replace_existing=True)
    assert running.get_job("one").args == ("2",)
    running.remove_all_jobs()
    running.shutdown()


run("apscheduler", "apscheduler<4", "sqlalchemy")
