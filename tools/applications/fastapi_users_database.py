"""fastapi-users with its SQLAlchemy adapter: users, OAuth accounts, and access tokens."""

import datetime as dt

from checks import check, run
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseOAuthAccountTableUUID, SQLAlchemyBaseUserTableUUID
from fastapi_users_db_sqlalchemy import SQLAlchemyUserDatabase as UserDatabase
from fastapi_users_db_sqlalchemy.access_token import SQLAlchemyAccessTokenDatabase, SQLAlchemyBaseAccessTokenTableUUID
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, relationship


class Base(DeclarativeBase):
    pass


class Account(SQLAlchemyBaseOAuthAccountTableUUID, Base):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    oauth_accounts: Mapped[list[Account]] = relationship("Account", lazy="joined")


class Token(SQLAlchemyBaseAccessTokenTableUUID, Base):
    pass


@check
async def users(url: str) -> None:
    """creates, finds, changes and deletes users"""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        database = UserDatabase(session, User, Account)
        user = await database.create({"email": "Ada@example.org", "hashed_password": "x"})
        assert (await database.get_by_email("ada@EXAMPLE.org")).id == user.id
        user = await database.update(user, {"is_verified": True})
        assert (await database.get(user.id)).is_verified is True
        await database.delete(await database.create({"email": "b@example.org", "hashed_password": "x"}))
        assert await database.get_by_email("b@example.org") is None
    await engine.dispose()


@check
async def duplicates(url: str) -> None:
    """raises an IntegrityError for an e-mail that exists"""
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        try:
            await UserDatabase(session, User, Account).create({"email": "Ada@example.org", "hashed_password": "x"})
        except IntegrityError:
            await session.rollback()
        else:
            raise AssertionError("created twice")
    await engine.dispose()


@check
async def accounts(url: str) -> None:
    """adds and finds OAuth accounts"""
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        database = UserDatabase(session, User, Account)
        user = await database.get_by_email("ada@example.org")
        account = {
            "oauth_name": "github", "access_token": "t", "account_id": "17", "account_email": "a@b", "expires_at": 9,
        }  # fmt: skip
        await database.add_oauth_account(user, account)
        found = await database.get_by_oauth_account("github", "17")
        assert [each.oauth_name for each in found.oauth_accounts] == ["github"]
    await engine.dispose()


@check
async def tokens(url: str) -> None:
    """creates access tokens, and finds those that are not too old"""
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        user = await UserDatabase(session, User, Account).get_by_email("ada@example.org")
        database = SQLAlchemyAccessTokenDatabase(session, Token)
        token = await database.create({"token": "secret", "user_id": user.id})
        now = dt.datetime.now(dt.UTC)
        assert await database.get_by_token("secret", now - dt.timedelta(hours=1)) is not None
        assert await database.get_by_token("secret", now + dt.timedelta(hours=1)) is None
        await database.delete(token)
    await engine.dispose()


run("fastapi-users-db-sqlalchemy", asynchronous=True)
