# The gateway alone, as a user without rights.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make release

FROM debian:bookworm-slim
# ca-certificates: what an https upstream is checked against. curl: the health check.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/release/influx-gateway /usr/local/bin/influx-gateway
COPY conf/*.toml /etc/influx-gateway/
USER 1000:1000
EXPOSE 8086
# The gateway's own answer, whatever its upstream is up to.
HEALTHCHECK --interval=30s --timeout=3s --start-period=2s \
    CMD curl -fsS -o /dev/null http://127.0.0.1:8086/gateway/health
STOPSIGNAL SIGTERM
ENTRYPOINT ["influx-gateway"]
CMD ["run", "--config", "/etc/influx-gateway/gateway.toml"]
