# Stand-in for prom/prometheus, for `make test-compose` only: Debian's.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends prometheus wget && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /prometheus && chown nobody:nogroup /prometheus
USER nobody
VOLUME ["/prometheus"]
ENTRYPOINT ["/usr/bin/prometheus"]
