# InfluxDB's image, as far as docker-compose.yml uses it: a real influxd and the `influx` command.
FROM debian:bookworm-slim
RUN useradd --system --home-dir /var/lib/influxdb2 influxdb
COPY influxd influx influxdb-entrypoint /usr/local/bin/
EXPOSE 8086
ENTRYPOINT ["influxdb-entrypoint"]
CMD ["influxd"]
