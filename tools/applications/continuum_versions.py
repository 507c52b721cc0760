"""SQLAlchemy-Continuum: versions of rows."""

import sqlalchemy as sa
from checks import check, run
from sqlalchemy.orm import Session, configure_mappers, declarative_base
from sqlalchemy_continuum import make_versioned, version_class

make_versioned(user_cls=None)
Base = declarative_base()


class Article(Base):
    __versioned__ = {}  # noqa: RUF012
    __tablename__ = "article"
    id = sa.Column(sa.Integer, primary_key=True, autoincrement=True)
    name = sa.Column(sa.Unicode(255))
    content = sa.Column(sa.UnicodeText)


configure_mappers()


@check
def create(url: str) -> None:
    """writes a version with each commit"""
    engine = sa.create_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(article := Article(name="first", content="one"))
        session.commit()
        article.name = "second"
        session.commit()
        assert [version.name for version in article.versions] == ["first", "second"]


@check
def revert(url: str) -> None:
    """compares versions, reverts to one, and keeps those of a deleted row"""
    with Session(sa.create_engine(url)) as session:
        article = session.scalars(sa.select(Article)).one()
        assert article.versions[1].changeset == {"name": ["first", "second"]}
        article.versions[0].revert()
        session.commit()
        assert article.name == "first"
        session.delete(article)
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(version_class(Article))) == 4


run("sqlalchemy-continuum")
