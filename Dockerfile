# syntax=docker/dockerfile:1
FROM rust:1-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package hornbook \
    && install -D target/release/hornbook /out/hornbook

FROM debian:bookworm-slim
# Certificates, for asking endpoints over TLS; nothing else is needed beside the binary.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/hornbook --create-home hornbook
COPY --from=build /out/hornbook /usr/local/bin/hornbook
USER hornbook
WORKDIR /var/lib/hornbook
ENV HORNBOOK_DATA_DIR=/var/lib/hornbook
VOLUME /var/lib/hornbook
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 CMD ["hornbook", "healthcheck"]
ENTRYPOINT ["hornbook"]
CMD ["serve"]
