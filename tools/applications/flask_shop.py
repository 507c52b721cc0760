"""Flask-SQLAlchemy and Flask-Migrate: an application, its migrations, and requests."""

import shutil
import tempfile
from pathlib import Path

import flask_migrate
import sqlalchemy as sa
from checks import check, run
from flask import Flask, jsonify
from flask_sqlalchemy import SQLAlchemy

FOLDER = Path(tempfile.gettempdir()) / "apps_flask_migrations"


def shop(url: str, *, extended: bool = False) -> tuple[Flask, SQLAlchemy]:
    app, db = Flask("shop"), SQLAlchemy()
    app.config["SQLALCHEMY_DATABASE_URI"] = url

    class Product(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(40), unique=True, nullable=False)
        price = db.Column(db.Numeric(8, 2), server_default="0.00")
        good = db.Column(db.Boolean, default=True)
        created = db.Column(db.DateTime, server_default=sa.func.now())
        if extended:
            note = db.Column(db.Text)

    class Review(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        product_id = db.Column(db.ForeignKey("product.id"), index=True)
        product = db.relationship(Product, backref="reviews")

    @app.get("/products")
    def products() -> object:
        page = db.paginate(db.select(Product).order_by(Product.id), per_page=2)
        return jsonify(names=[product.name for product in page], total=page.total)

    app.Product, app.Review = Product, Review
    db.init_app(app)
    flask_migrate.Migrate(app, db, directory=str(FOLDER))
    return app, db


def assert_complete() -> None:
    """Check that nothing is left to migrate.

    `flask db check` is not used, because it fails with an IndexError in that case, on every database.
    """
    before = sorted(FOLDER.glob("versions/*.py"))
    flask_migrate.migrate()
    assert sorted(FOLDER.glob("versions/*.py")) == before, "a difference was found"


@check
def migrate(url: str) -> None:
    """autogenerates and runs a migration, after which there is nothing to do"""
    shutil.rmtree(FOLDER, ignore_errors=True)
    app, _ = shop(url)
    with app.app_context():
        flask_migrate.init()
        flask_migrate.migrate(message="first")
        flask_migrate.upgrade()
        assert_complete()


@check
def requests(url: str) -> None:
    """answers requests with pages, and 404"""
    app, db = shop(url)
    with app.app_context():
        db.session.add_all(app.Product(name=name, reviews=[app.Review()]) for name in ("a", "b", "c"))
        db.session.commit()
        assert db.session.execute(db.select(app.Product)).scalars().first().good is True
        assert db.session.scalar(db.select(sa.func.count()).select_from(app.Review)) == 3
    response = app.test_client().get("/products?page=2")
    assert response.status_code == 200, response.status
    assert app.test_client().get("/products?page=9").status_code == 404


@check
def change(url: str) -> None:
    """adds a column in a second migration, and downgrades"""
    app, db = shop(url, extended=True)
    with app.app_context():
        flask_migrate.migrate(message="second")
        flask_migrate.upgrade()
        assert_complete()
        flask_migrate.downgrade(revision="base")
        assert sa.inspect(db.engine).get_table_names() == ["alembic_version"]


run("flask-sqlalchemy", "flask-sqlalchemy", "flask-migrate")
