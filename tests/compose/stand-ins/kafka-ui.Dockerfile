# Stand-in for Kafka UI, for `make test-compose` only: Kafka's own client with the configuration that Kafka UI gets.
ARG KAFKA
FROM ${KAFKA}
USER root
RUN apt-get update && apt-get install -y --no-install-recommends python3 wget && rm -rf /var/lib/apt/lists/*
COPY kafka-ui.sh /usr/local/bin/
USER 65532:0
CMD ["/bin/sh", "/usr/local/bin/kafka-ui.sh"]
