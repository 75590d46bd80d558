# Stands in for Rust's image where only the last stage of the gateway's own is of interest: its cargo has
# built the program already.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
COPY influx-gateway rust-cargo /opt/
RUN ln -s /opt/rust-cargo /usr/local/bin/cargo
