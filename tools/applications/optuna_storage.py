"""Optuna's RDBStorage: studies, trials, and several workers."""

from concurrent.futures import ThreadPoolExecutor

import optuna
from checks import check, run

optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -10, 10)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    for step in range(3):
        trial.report(x * x + step, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    trial.set_user_attr("note", "it's ☕")
    return x * x + (kind == "b")


@check
def create(url: str) -> None:
    """creates its tables and a study"""
    storage = optuna.storages.RDBStorage(url)
    optuna.create_study(storage=storage, study_name="first", directions=["minimize"])
    assert storage.get_head_version() == storage.get_current_version()


@check
def optimize(url: str) -> None:
    """optimizes, prunes, and reads the best trial"""
    study = optuna.load_study(storage=url, study_name="first")
    study.optimize(objective, n_trials=10)
    assert len(study.trials) == 10
    assert study.best_trial.user_attrs["note"] == "it's ☕"
    assert {"a", "b"} >= {trial.params["kind"] for trial in study.trials}


@check
def workers(url: str) -> None:
    """optimizes with two workers at once"""
    storage = optuna.storages.RDBStorage(url, heartbeat_interval=1)
    study = optuna.create_study(storage=storage, study_name="workers")

    def work(_: int) -> None:
        optuna.load_study(storage=url, study_name="workers").optimize(objective, n_trials=5)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert sorted(trial.number for trial in study.trials) == list(range(10))


@check
def again(url: str) -> None:
    """finds a study instead of creating it twice, copies and deletes it"""
    try:
        optuna.create_study(storage=url, study_name="first")
    except optuna.exceptions.DuplicatedStudyError:
        pass
    else:
        raise AssertionError("created twice")
    optuna.create_study(storage=url, study_name="first", load_if_exists=True)
    optuna.copy_study(from_study_name="first", from_storage=url, to_storage=url, to_study_name="copy")
    optuna.delete_study(storage=url, study_name="first")
    assert {study.study_name for study in optuna.get_all_study_summaries(url)} >= {"copy"}


run("optuna")
