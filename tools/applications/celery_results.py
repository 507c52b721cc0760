"""Celery's result backend in a database."""

from celery import Celery, states
from celery.result import AsyncResult, GroupResult
from checks import check, run


def app(url: str) -> Celery:
    return Celery("shop", broker="memory://", backend=f"db+{url}", task_track_started=True, result_extended=True)


@check
def stores(url: str) -> None:
    """stores results, states and exceptions, and reads them"""
    backend = app(url).backend
    backend.store_result("one", {"sum": 3, "text": "☕"}, states.SUCCESS)
    assert backend.get_result("one") == {"sum": 3, "text": "☕"}
    backend.mark_as_started("two", pid=1)
    assert backend.get_state("two") == states.STARTED
    backend.mark_as_failure("two", ValueError("wrong"))
    assert backend.get_state("two") == states.FAILURE
    assert backend.get_state("none") == states.PENDING


@check
def tasks(url: str) -> None:
    """runs tasks whose results it stores"""
    shop = app(url)
    shop.conf.update(task_always_eager=True, task_store_eager_result=True)

    @shop.task(name="add")
    def add(x: int, y: int) -> int:
        return x + y

    result = add.apply_async((1, 2))
    assert AsyncResult(result.id, app=app(url)).get(timeout=5) == 3
    assert AsyncResult(result.id, app=app(url)).date_done is not None


@check
def groups(url: str) -> None:
    """stores, forgets and cleans up results and groups"""
    shop = app(url)
    backend = shop.backend
    backend.save_group("group", GroupResult("group", [AsyncResult("one", app=shop)], app=shop))
    assert backend.restore_group("group").id == "group"
    backend.delete_group("group")
    assert backend.restore_group("group") is None
    backend.forget("one")
    assert backend.get_state("one") == states.PENDING
    backend.cleanup()


run("celery", "celery[sqlalchemy]")
