"""The real asynchronous Python client, which shapes its cookie by the host.

For a host name its HTTP library keeps the cookie in a jar, sorts and quotes what it sends; for an
address it sends the attributes along as they came.
"""

import asyncio
import os
import time

from influxdb_client import UsersService
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync

POINTS = 1_000
GATEWAY = os.environ["GATEWAY_URL"]


async def use(url, host):
    """Signs in, writes, pings, asks who it is, signs out."""
    async with InfluxDBClientAsync(
        url,
        username=os.environ["GATEWAY_USER"],
        password=os.environ["GATEWAY_PASSWORD"],
        org="o",
    ) as client:
        now = int(time.time()) * 1000
        lines = [f"probe,host={host} value={n} {now - n * 10}" for n in range(POINTS)]
        assert await client.write_api().write("b", record=lines, write_precision="ms")
        jar = client.api_client.rest_client.pool_manager.cookie_jar
        assert len(jar) == (1 if host == "localhost" else 0), f"{host}: {len(jar)} cookies"
        assert await client.ping()
        me = await UsersService(client.api_client).get_me_async()
    return f"{host}: user {me.name}, signed out"


async def main():
    """Uses the gateway by its address, then by a name."""
    for host in ("127.0.0.1", "localhost"):
        print(await use(GATEWAY.replace("127.0.0.1", host), host), end="; ")
    print("done")


asyncio.run(main())
