"""LangChain: SQLDatabase, SQLRecordManager, and a chat history."""

import sqlalchemy as sa
from checks import check, run
from langchain_community.chat_message_histories import SQLChatMessageHistory
from langchain_community.indexes._sql_record_manager import SQLRecordManager
from langchain_community.utilities import SQLDatabase


@check
def describe(url: str) -> None:
    """describes tables with sample rows and indexes"""
    with sa.create_engine(url).begin() as connection:
        connection.execute(sa.text("CREATE TABLE goods (id INT PRIMARY KEY, name VARCHAR(40), KEY ix_name (name))"))
        connection.execute(sa.text("INSERT INTO goods VALUES (1, 'tea'), (2, 'coffee ☕')"))
    database = SQLDatabase.from_uri(url, indexes_in_table_info=True)
    assert database.get_usable_table_names() == ["goods"]
    info = database.get_table_info()
    assert "coffee" in info
    assert "ix_name" in info


@check
def query(url: str) -> None:
    """runs a query, and reports the error of a wrong one"""
    database = SQLDatabase.from_uri(url)
    assert "coffee" in database.run("SELECT name FROM goods WHERE id = 2")
    assert "Error" in database.run_no_throw("SELECT nothing FROM goods")
    assert database.dialect in ("mysql", "matrixone")


@check
def records(url: str) -> None:
    """keeps records of an index"""
    manager = SQLRecordManager("index", db_url=url)
    manager.create_schema()
    manager.update(["a", "b"], group_ids=["g", "g"])
    manager.update(["a"], group_ids=["h"])
    assert manager.exists(["a", "c"]) == [True, False]
    assert sorted(manager.list_keys()) == ["a", "b"]
    manager.delete_keys(["a"])
    assert manager.list_keys() == ["b"]


@check
def history(url: str) -> None:
    """keeps a chat history"""
    history = SQLChatMessageHistory("session", connection=url)
    history.add_user_message("hello ☕")
    history.add_ai_message("yes")
    assert [message.content for message in history.messages] == ["hello ☕", "yes"]
    history.clear()
    assert history.messages == []


run("langchain-community")
