"""google-adk's DatabaseSessionService: sessions, their events, and state."""

from checks import check, run
from google.adk.events import Event, EventActions
from google.adk.sessions import DatabaseSessionService
from google.adk.sessions.base_session_service import GetSessionConfig
from google.genai import types


@check
async def create(url: str) -> None:
    """creates its tables and a session with state"""
    service = DatabaseSessionService(url)
    state = {"app:theme": "dark", "user:name": "Ada ☕", "step": 1}
    await service.create_session(app_name="shop", user_id="ada", session_id="first", state=state)
    found = await service.get_session(app_name="shop", user_id="ada", session_id="first")
    assert found.state == state
    await service.close()


@check
async def append(url: str) -> None:
    """appends events, whose state is kept"""
    service = DatabaseSessionService(url)
    session = await service.get_session(app_name="shop", user_id="ada", session_id="first")
    for step in (2, 3):
        content = types.Content(role="user", parts=[types.Part(text=f"step {step}, it's ☕")])
        actions = EventActions(state_delta={"step": step, "user:last": step})
        await service.append_event(session, Event(author="user", content=content, actions=actions))
    found = await service.get_session(app_name="shop", user_id="ada", session_id="first")
    assert found.state["step"] == 3
    assert found.state["user:last"] == 3
    assert [event.content.parts[0].text[:6] for event in found.events] == ["step 2", "step 3"]
    await service.close()


@check
async def read(url: str) -> None:
    """reads recent events, by number and by a time with microseconds"""
    service = DatabaseSessionService(url)
    session = await service.get_session(app_name="shop", user_id="ada", session_id="first")
    last = session.events[-1]
    arguments = {"app_name": "shop", "user_id": "ada", "session_id": "first"}
    by_number = await service.get_session(**arguments, config=GetSessionConfig(num_recent_events=1))
    assert [event.id for event in by_number.events] == [last.id]
    by_time = await service.get_session(**arguments, config=GetSessionConfig(after_timestamp=last.timestamp))
    assert [event.id for event in by_time.events] == [last.id]
    await service.close()


@check
async def lists(url: str) -> None:
    """lists and deletes sessions, and shares state between them"""
    service = DatabaseSessionService(url)
    second = await service.create_session(app_name="shop", user_id="ada")
    assert second.state["user:name"] == "Ada ☕"
    assert second.state["app:theme"] == "dark"
    assert len((await service.list_sessions(app_name="shop", user_id="ada")).sessions) == 2
    await service.delete_session(app_name="shop", user_id="ada", session_id="first")
    assert await service.get_session(app_name="shop", user_id="ada", session_id="first") is None
    await service.close()


run("google-adk", "google-adk[db]", asynchronous=True)
