"""InfluxDB 3's official Python client through the gateway, with nothing but a token: writes, queries, and is refused."""

import os

import pandas
from influxdb_client_3 import InfluxDBClient3, InfluxDBError, SYNCHRONOUS, write_client_options


def client(token):
    options = write_client_options(write_options=SYNCHRONOUS)
    more = {"ssl_ca_cert": os.environ["CA"]} if "CA" in os.environ else {}
    return InfluxDBClient3(
        host=os.environ["GATEWAY_URL"], token=token, database="home", write_client_options=options, **more
    )


def refused(call, kind):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("not refused")


def main():
    mine = client(os.environ["TOKEN"])
    air = pandas.DataFrame({"place": ["hall"] * 2, "value": [1.0, 2.0]}, index=pandas.to_datetime([1, 2], utc=True))
    mine.write(air, data_frame_measurement_name="air", data_frame_tag_columns=["place"])
    numbers = mine.query("rows 10000", language="sql", mode="pandas")["n"]
    failure = refused(lambda: mine.query("fail", language="sql"), Exception)
    assert "no such table: 50 % of ü" in str(failure), failure
    stranger = client("igw_" + "A" * 43)
    assert refused(lambda: stranger.write("air value=3 3"), InfluxDBError).response.status == 401
    refusal = refused(lambda: stranger.query("rows 1"), Exception)
    assert "unauthenticated error, with message: unauthorized access" in str(refusal), refusal
    print(f"wrote, read {len(numbers)} up to {numbers.iloc[-1]}, was told why not, was refused")


main()
