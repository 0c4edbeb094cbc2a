FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY migrations migrations
COPY seed seed
COPY src src
# Cargo wants every target that Cargo.toml names to be there.
COPY benches benches
COPY tests tests
# Without the default features: the embedded broker and the PostgreSQL fetcher are for developers.
RUN cargo build --release --locked --no-default-features --bins

FROM debian:bookworm-slim
# Whatever Debian's security updates are today, so no pinned versions.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/*
COPY LICENSE /licenses/LICENSE
COPY --from=build /build/target/release/pt-api /build/target/release/pt-consumer /build/target/release/pt /usr/local/bin/
# Any user will do: nothing is written.
USER 1001
# PUBLICPORT and METRICSPORT.
EXPOSE 8080 8081
CMD ["pt-api"]
