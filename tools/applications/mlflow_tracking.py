"""MLflow: `mlflow db upgrade`, the tracking store and the model registry."""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from checks import check, run
from mlflow.entities import ViewType
from mlflow.store.db import utils
from mlflow.tracking import MlflowClient


def client(url: str) -> MlflowClient:
    return MlflowClient(tracking_uri=url, registry_uri=url)


@check
def initialize(url: str) -> None:
    """creates its tables and migrates them, as `mlflow server` and `mlflow db upgrade` do"""
    engine = utils.create_sqlalchemy_engine_with_retry(url)
    utils._initialize_tables(engine)
    utils._upgrade_db(engine)


@check
def track(url: str) -> None:
    """logs runs with parameters, metrics and tags"""
    mlflow.set_tracking_uri(url)
    experiment = mlflow.create_experiment("shop", artifact_location="/tmp/apps_mlflow")
    for number in range(3):
        with mlflow.start_run(experiment_id=experiment, run_name=f"run {number}"):
            mlflow.log_params({"depth": number, "note": "it's ☕"})
            for step in range(3):
                mlflow.log_metric("loss", 1 / (number + step + 1), step=step)
            mlflow.set_tag("kind", "a" if number else "b")
    assert client(url).get_metric_history(mlflow.search_runs([experiment], output_format="list")[0].info.run_id, "loss")


@check
def search(url: str) -> None:
    """searches runs by metrics, parameters and tags, with LIKE and ILIKE, in order"""
    found = client(url)
    experiments = [found.get_experiment_by_name("shop").experiment_id]

    def count(text: str) -> int:
        return len(found.search_runs(experiments, text, order_by=["metrics.loss DESC", "params.depth ASC"]))

    assert count("metrics.loss < 0.3 and params.depth = '2'") == 1
    assert count("tags.kind = 'a'") == 2
    assert count("params.note LIKE 'it%'") == 3
    assert count("params.note ILIKE 'IT%'") == 3
    assert count("attributes.status = 'FINISHED'") == 3


@check
def change(url: str) -> None:
    """deletes and restores runs and experiments"""
    found = client(url)
    experiment = found.get_experiment_by_name("shop").experiment_id
    run_id = found.search_runs([experiment])[0].info.run_id
    found.delete_run(run_id)
    assert len(found.search_runs([experiment])) == 2
    found.restore_run(run_id)
    found.delete_experiment(experiment)
    assert "shop" in [each.name for each in found.search_experiments(view_type=ViewType.DELETED_ONLY)]
    found.restore_experiment(experiment)


@check
def registry(url: str) -> None:
    """registers models with versions, aliases and tags, and searches them"""
    found = client(url)
    found.create_registered_model("model", tags={"a": "b"})
    version = found.create_model_version("model", "/tmp/apps_mlflow/x")
    found.set_registered_model_alias("model", "best", version.version)
    assert found.get_model_version_by_alias("model", "best").version == version.version
    assert len(found.search_model_versions("name = 'model'")) == 1
    assert len(found.search_registered_models("name ILIKE 'MOD%' and tags.a = 'b'")) == 1
    found.delete_registered_model("model")


run("mlflow", "mlflow==3.6.*", "sqlalchemy<2.1")
