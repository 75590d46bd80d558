# Redis' image, as far as docker-compose.yml uses it: Debian's redis-server.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/* \
    && mkdir /data && chown redis:redis /data
WORKDIR /data
CMD ["redis-server"]
