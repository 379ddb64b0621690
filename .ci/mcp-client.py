"""The bridge as the Python package `mcp` sees it, in both eras: a call, a message there and back, a subscription."""

import asyncio
import os
import sys

from mcp import Client, ClientSession, StdioServerParameters, stdio_client

SESSIONS = "posthouse://sessions"
INBOX = "posthouse://inbox"
LIMIT = 30


def server(name):
    wanted = ("POSTHOUSE_HOME", "HOME", "PATH")
    env = {key: os.environ[key] for key in wanted if key in os.environ}
    return StdioServerParameters(command=sys.argv[1], args=["mcp", "--name", name], env=env)


async def legacy():
    told = asyncio.Queue()

    async def heard(message):
        told.put_nowait(repr(message))

    async with stdio_client(server("py-legacy")) as (read, write):
        async with ClientSession(read, write, message_handler=heard) as session:
            await session.initialize()
            await session.subscribe_resource(INBOX)
            sent = await session.call_tool("send", {"to": "py-legacy", "text": "to myself"})
            assert not sent.is_error, sent
            while INBOX not in await told.get():
                pass
            taken = await session.call_tool("wait_for_message", {"timeout_s": 10})
            assert taken.structured_content["message"]["text"] == "to myself", taken
            names = [tool.name for tool in (await session.list_tools()).tools]
            assert "spawn_session" in names, names


async def modern():
    async with Client(server("py-modern")) as client:
        async with client.listen(resource_subscriptions=[SESSIONS]) as changes:
            async for change in changes:
                assert SESSIONS in repr(change), change
                break
        listed = await client.call_tool("list_sessions", {})
        assert [one["name"] for one in listed.structured_content["sessions"]] == ["builder"], listed


async def main():
    for era in (legacy, modern):
        await asyncio.wait_for(era(), LIMIT)
        print(f"ok: Python's mcp, {era.__name__}")


asyncio.run(main())
