"""SQLAlchemy-Utils: its types, and its functions for databases."""

import datetime as dt

import sqlalchemy as sa
from babel.core import Locale
from checks import check, run
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy_utils import (
    ChoiceType,
    EmailType,
    IPAddressType,
    JSONType,
    LocaleType,
    PasswordType,
    ScalarListType,
    Timestamp,
    URLType,
    UUIDType,
    WeekDay,
    WeekDays,
    WeekDaysType,
    create_database,
    database_exists,
    drop_database,
    get_class_by_table,
    has_index,
)


class Base(DeclarativeBase):
    pass


class Person(Base, Timestamp):
    __tablename__ = "person"
    id = sa.Column(UUIDType, primary_key=True)
    kind = sa.Column(ChoiceType([("a", "first"), ("b", "second")]))
    email = sa.Column(EmailType, unique=True)
    address = sa.Column(IPAddressType)
    data = sa.Column(JSONType)
    locale = sa.Column(LocaleType)
    password = sa.Column(PasswordType(schemes=["pbkdf2_sha512"]))
    numbers = sa.Column(ScalarListType(int))
    url = sa.Column(URLType)


class Shift(Base):
    __tablename__ = "shift"
    id = sa.Column(sa.Integer, primary_key=True)
    days = sa.Column(WeekDaysType)


@check
def values(url: str) -> None:
    """stores and reads UUIDs, choices, e-mails, addresses, JSON, locales, passwords, lists, URLs"""
    import uuid

    engine = sa.create_engine(url)
    Base.metadata.create_all(engine, tables=[Person.__table__])
    key = uuid.uuid4()
    with Session(engine) as session:
        session.add(
            Person(
                id=key, kind="a", email="Ada@Example.org", address="10.0.0.1", data={"a": [1, "☕"]},
                locale=Locale("en"), password="secret", numbers=[1, 2, 3], url="https://example.org",
            )
        )  # fmt: skip
        session.commit()
        person = session.get(Person, key)
        assert (person.kind.value, person.email, person.data) == ("first", "ada@example.org", {"a": [1, "☕"]})
        assert (person.password, person.numbers, str(person.address)) == ("secret", [1, 2, 3], "10.0.0.1")
        assert isinstance(person.created, dt.datetime)


@check
def week_days(url: str) -> None:
    """stores WeekDaysType (which it cannot read back on any MySQL)"""
    engine = sa.create_engine(url)
    Base.metadata.create_all(engine, tables=[Shift.__table__])
    with Session(engine) as session:
        session.add(Shift(id=1, days=WeekDays([WeekDay(1), WeekDay(3)])))
        session.commit()
        assert bytes(session.scalar(sa.text("SELECT days FROM shift"))) == b"0101000"


@check
def databases(url: str) -> None:
    """creates, finds and drops a database"""
    other = sa.make_url(url).set(database="apps_created")
    create_database(other)
    assert database_exists(other)
    drop_database(other)
    assert not database_exists(other)


@check
def schema(url: str) -> None:
    """inspects mapped classes and indexes"""
    assert get_class_by_table(Base, Person.__table__) is Person
    assert has_index(sa.Table("person", sa.MetaData(), autoload_with=sa.create_engine(url)).c.id)


run("sqlalchemy-utils", "sqlalchemy-utils", "babel", "passlib")
