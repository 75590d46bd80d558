"""The real asynchronous Python client before a real InfluxDB: what it sees, as one line of JSON."""

import asyncio
import json
import os

from influxdb_client import BucketsService, OrganizationsService, PasswordResetBody, PostBucketRequest
from influxdb_client import TaskCreateRequest, TasksService, UsersService
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException

POINTS = 5_000
NEW_PASSWORD = "battery staple"
START, STOP = "2023-11-14T00:00:00Z", "2023-11-15T00:00:00Z"
MEASURED = f'from(bucket: "weather") |> range(start: {START}, stop: {STOP}) |> filter(fn: (r) => r._measurement == '
AIR = MEASURED + '"air") |> pivot(rowKey: ["place"], columnKey: ["_field"], valueColumn: "_value") |> group() |> sort()'
COUNT = MEASURED + '"probe") |> group() |> count()'


def client(password):
    """A client by token, or one that signs in with `password` at its first call."""
    token = os.environ.get("GATEWAY_TOKEN")
    credentials = {"token": token} if token else {"username": os.environ["GATEWAY_USER"], "password": password}
    return InfluxDBClientAsync(os.environ["GATEWAY_URL"], org="home", **credentials)


async def refusal(call):
    """What a call is refused with."""
    try:
        await call
    except ApiException as error:
        return error.message
    raise AssertionError(f"{call} is not refused")


async def rows(queries):
    """What the air is like."""
    columns = ["place", "temperature", "count", "open", "note"]
    return [[record[key] for key in columns] for table in await queries.query(AIR) for record in table]


async def count(queries):
    """How many probes there are."""
    return sum([record["_value"] async for record in await queries.query_stream(COUNT)])


async def data(mine, seen):
    """Writes, queries, deletes."""
    queries, writer, deletes = mine.query_api(), mine.write_api(), mine.delete_api()
    air = [
        r'air,place=inside temperature=19.5,count=3i,open=true,note="warm, \"dry\", café" 1700000000',
        'air,place=outside temperature=-3,note="rain" 1700000000',
    ]
    assert await writer.write("weather", record=air, write_precision="s")
    lines = [f"probe,host=h{n % 10} value={n} {1700000000 + n}" for n in range(POINTS)]
    batches = [lines[first : first + 1000] for first in range(0, POINTS, 1000)]
    await asyncio.gather(*(writer.write("weather", record=batch, write_precision="s") for batch in batches))
    seen["air"], seen["probes"] = await rows(queries), await count(queries)
    seen["bad query"] = await refusal(queries.query("nope"))
    assert await deletes.delete(START, STOP, '_measurement="probe"', "weather")
    seen["probes deleted"] = [len(await rows(queries)), await count(queries)]
    assert await deletes.delete(START, STOP, "", "weather")
    seen["all deleted"] = [len(await rows(queries)), await count(queries)]


async def things(mine, me, seen):
    """Makes, lists and deletes a bucket and a task."""
    buckets, tasks = BucketsService(mine.api_client), TasksService(mine.api_client)
    org = (await OrganizationsService(mine.api_client).get_orgs_async(org="home")).orgs[0]

    async def listed():
        return sorted(found.name for found in (await buckets.get_buckets_async()).buckets if found.name[0] != "_")

    wanted = PostBucketRequest(org_id=org.id, name="spare", retention_rules=[])
    bucket = await buckets.post_buckets_async(wanted)
    seen["buckets"] = await listed()
    await buckets.delete_buckets_id_async(bucket.id)
    seen["buckets left"] = await listed()
    flux = 'option task = {name: "hourly", every: 1h}\n' + MEASURED + '"air")'
    task = await tasks.post_tasks_async(TaskCreateRequest(org_id=org.id, flux=flux))
    seen["tasks"] = [found.name for found in (await tasks.get_tasks_async(user=me.id)).tasks]
    await tasks.delete_tasks_id_async(task.id)
    seen["tasks left"] = [found.name for found in (await tasks.get_tasks_async(user=me.id)).tasks]


async def password(mine, me, seen):
    """Changes the password, signs in by it, signs out."""
    new = PasswordResetBody(NEW_PASSWORD)
    await UsersService(mine.api_client).post_users_id_password_async(me.id, new)
    async with client(os.environ["GATEWAY_PASSWORD"]) as late:
        seen["old password"] = await refusal(UsersService(late.api_client).get_me_async())
    async with client(NEW_PASSWORD) as fresh:
        seen["new password"] = (await UsersService(fresh.api_client).get_me_async()).name
        cookie = fresh.api_client.cookie
    # The client signs out when it is closed; what is left is the cookie it had.
    ended = client(NEW_PASSWORD)
    ended.api_client.cookie = cookie
    calls = [UsersService(ended.api_client).get_me_async(), ended.query_api().query(COUNT), ended.close()]
    seen["signed out"] = [await refusal(call) for call in calls]
    ended.api_client.cookie = None
    await ended.close()


async def main():
    """Does it all."""
    seen = {}
    async with client(os.environ.get("GATEWAY_PASSWORD")) as mine:
        users = UsersService(mine.api_client)
        me = await users.get_me_async()
        seen["me"] = me.name
        seen["users"] = [user.name for user in (await users.get_users_async(name=me.name)).users]
        await data(mine, seen)
        await things(mine, me, seen)
        if "GATEWAY_TOKEN" not in os.environ:
            await password(mine, me, seen)
    print(json.dumps(seen))


asyncio.run(main())
