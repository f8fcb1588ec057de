# Stand-in for the image `rust`, for `make test-compose` only: Debian with the Rust that is installed on this machine.
ARG BASE
FROM ${BASE}
COPY rust /usr/local/rust
COPY registry /usr/local/cargo/registry
ENV PATH=/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true
