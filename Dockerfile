# scripts/docker-steps.sh runs these very lines without an engine: keep to COPY, RUN, ENV, WORKDIR as they are used here.

FROM rust:1-slim-bookworm AS builder
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin wecom-gateway

FROM debian:bookworm-slim
# Fixed ids, so that a mounted folder can be given to this user: chown 10001:10001 data
RUN groupadd --gid 10001 gateway \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /app gateway \
    && mkdir -p /app/config /app/templates /app/data \
    && chown -R gateway:gateway /app
COPY --from=builder /build/target/release/wecom-gateway /usr/local/bin/wecom-gateway
COPY --from=builder /build/LICENSE /usr/share/doc/wecom-gateway/LICENSE
WORKDIR /app
USER gateway
# Mount config/ and templates/ here; data/ holds the node file, the SQLite store or the spool: keep it.
VOLUME /app/data
ENV WECOM_GATEWAY__SERVER__LISTEN=0.0.0.0:8080
ENV WECOM_GATEWAY_LOG=json
EXPOSE 8080
# The image has no curl; bash can speak this much HTTP. Alive is /healthz; whether to send callbacks here is /readyz.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD bash -c 'exec 3<>"/dev/tcp/127.0.0.1/${WECOM_GATEWAY__SERVER__LISTEN##*:}" && printf "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" >&3 && head -n 1 <&3 | grep -q " 200"'
ENTRYPOINT ["wecom-gateway"]
CMD ["serve"]
