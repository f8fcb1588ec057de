#!/bin/sh
# Reads Kafka UI's configuration as far as Kafka's client needs it, looks at the cluster once, and serves what it saw.
# /tmp/client.properties is left for the test, which tries to do more than look.
set -eu

file=${JAVA_OPTS##*-Dspring.config.additional-location=}
file=${file%% *}
umask 077
python3 - "$file" >/tmp/client.properties <<'PYTHON'
import json, re, sys
inside = False
for line in open(sys.argv[1]):
    found = re.match(r"\s*(bootstrapServers|[a-z.]+): (.*)$", line)
    if line.strip() == "properties:":
        inside = True
    elif found and (inside or found[1] == "bootstrapServers"):
        name = "bootstrap.servers" if found[1] == "bootstrapServers" else found[1]
        value = found[2]
        print(name + "=" + (json.loads(value) if value.startswith('"') else value))
PYTHON
servers=$(sed -n 's/^bootstrap.servers=//p' /tmp/client.properties)
mkdir -p /tmp/www/actuator
kafka() { java -Xmx128m -cp '/opt/kafka/libs/*' "$@" --bootstrap-server "$servers" --command-config /tmp/client.properties; }
{
    kafka org.apache.kafka.tools.TopicCommand --describe
    kafka org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --list
} >/tmp/www/index.html
echo '{"status":"UP"}' >/tmp/www/actuator/health
cd /tmp/www
exec python3 -c '
import http.server, socketserver
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("0.0.0.0", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()'
