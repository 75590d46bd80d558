"""The real Python client before a real InfluxDB: what it sees, as one line of JSON."""

import json
import os

from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS, WriteOptions
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
    return InfluxDBClient(os.environ["GATEWAY_URL"], org="home", **credentials)


def refusal(call, *arguments):
    """What `call` is refused with."""
    try:
        call(*arguments)
    except ApiException as error:
        return error.message
    raise AssertionError(f"{call} is not refused")


def rows():
    """What the air is like."""
    columns = ["place", "temperature", "count", "open", "note"]
    return [[record[key] for key in columns] for table in queries.query(AIR) for record in table]


def count():
    """How many probes there are."""
    return sum(record["_value"] for record in queries.query_stream(COUNT))


seen = {}
mine = client(os.environ.get("GATEWAY_PASSWORD"))
queries, deletes, users = mine.query_api(), mine.delete_api(), mine.users_api()
me = users.me()
seen["me"] = me.name
seen["users"] = [user.name for user in users.find_users(name=me.name).users]

air = [
    r'air,place=inside temperature=19.5,count=3i,open=true,note="warm, \"dry\", café" 1700000000',
    'air,place=outside temperature=-3,note="rain" 1700000000',
]
mine.write_api(write_options=SYNCHRONOUS).write("weather", record=air, write_precision="s")
with mine.write_api(write_options=WriteOptions(batch_size=1000)) as writer:
    lines = [f"probe,host=h{n % 10} value={n} {1700000000 + n}" for n in range(POINTS)]
    writer.write("weather", record=lines, write_precision="s")
seen["air"], seen["probes"] = rows(), count()
seen["bad query"] = refusal(queries.query, "nope")
deletes.delete(START, STOP, '_measurement="probe"', "weather")
seen["probes deleted"] = [len(rows()), count()]
deletes.delete(START, STOP, "", "weather")
seen["all deleted"] = [len(rows()), count()]

buckets, tasks = mine.buckets_api(), mine.tasks_api()
bucket = buckets.create_bucket(bucket_name="spare", org="home")
listed = lambda: [found.name for found in buckets.find_buckets().buckets if not found.name.startswith("_")]
seen["buckets"] = sorted(listed())
buckets.delete_bucket(bucket)
seen["buckets left"] = listed()
org = mine.organizations_api().find_organizations(org="home")[0]
task = tasks.create_task_every("hourly", MEASURED + '"air")', "1h", org)
seen["tasks"] = [found.name for found in tasks.find_tasks(user=me.id)]
tasks.delete_task(task.id)
seen["tasks left"] = [found.name for found in tasks.find_tasks(user=me.id)]

if "GATEWAY_TOKEN" not in os.environ:
    users.update_password(me, NEW_PASSWORD)
    seen["old password"] = refusal(client(os.environ["GATEWAY_PASSWORD"]).users_api().me)
    fresh = client(NEW_PASSWORD)
    seen["new password"] = fresh.users_api().me().name
    # The client signs out when it is closed; what is left is the cookie it had.
    cookie = fresh.api_client.cookie
    fresh.close()
    ended = client(NEW_PASSWORD)
    ended.api_client.cookie = cookie
    calls = [(ended.users_api().me,), (ended.query_api().query, COUNT), (ended.close,)]
    seen["signed out"] = [refusal(*call) for call in calls]
    ended.api_client.cookie = None
mine.close()
print(json.dumps(seen))
