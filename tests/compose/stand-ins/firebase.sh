#!/bin/sh
# Runs Google's Firestore emulator as `firebase emulators:start --import … --export-on-exit …` does: what was saved is
# loaded, and on SIGTERM the documents are saved.
set -u

saved=/data/saved
database=projects/demo-storepulse/databases/\(default\)

seed=''
if [ -f "$saved/name" ]; then
    seed=--seed_from_export=$saved/$(cat "$saved/name")/$(cat "$saved/name").overall_export_metadata
fi
(cd /srv/page && exec python3 -c '
import http.server, socketserver
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("0.0.0.0", 4000), http.server.SimpleHTTPRequestHandler).serve_forever()') 2>/dev/null &
page=$!
# shellcheck disable=SC2086 # none or one word
java -cp /opt/cloud-firestore-emulator.jar com.google.cloud.datastore.emulator.firestore.CloudFirestore start \
    --host=0.0.0.0 --port=8080 $seed &
emulator=$!

save() {
    name=export-$(date +%s)
    if curl -fsS -X POST -H 'Content-Type: application/json' -H 'Authorization: Bearer owner' \
        -d "{\"database\": \"$database\", \"export_directory\": \"$saved\", \"export_name\": \"$name\"}" \
        "http://127.0.0.1:8080/emulator/v1/projects/demo-storepulse:export"; then
        echo "$name" >"$saved/name.new" && mv "$saved/name.new" "$saved/name"
        echo "saved $name"
    else
        echo "the documents could not be saved" >&2
    fi
    kill "$emulator" "$page" 2>/dev/null
}
trap save TERM INT
mkdir -p "$saved"
# A signal ends the wait, not the emulator.
wait "$emulator"
wait "$emulator"
