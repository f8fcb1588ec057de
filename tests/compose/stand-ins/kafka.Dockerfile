# Stand-in for apache/kafka, for `make test-compose` only: the same jars, paths, user, volumes and modes.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --shell /bin/bash --uid 1000 appuser \
    && mkdir -p /var/lib/kafka/data /etc/kafka/secrets /mnt/shared/config /opt/kafka \
    && chown -R appuser:appuser /opt/kafka /mnt/shared/config \
    && chown -R appuser:root /var/lib/kafka /etc/kafka \
    && chmod -R ug+w /var/lib/kafka /etc/kafka
COPY libs /opt/kafka/libs
USER appuser
VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]
CMD ["/bin/false"]
