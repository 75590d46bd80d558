# Rust's image, made of the machine's own toolchain. Where crates come from a mirror, the machine trusts it.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
COPY toolchain /usr/local/
COPY ca-certificates.crt /etc/ssl/certs/
