#!/usr/bin/env bash
# The manifests and storepulse-deploy on a real cluster: `make test-k8s`.
#
# The API server, kubelet, scheduler, network policies, services, Kafka and the Firestore emulator are real. Strimzi's CRDs
# are real; its operator is played by operator_stand_in.py, and the tests in which it has a part say so in their names.
#
#   K8S_LAB            directory with build.sh and up.sh, which bring up a throwaway cluster of one node (needs root)
#   STRIMZI_MANIFESTS  install/cluster-operator of Strimzi's release
#   ONLY=manifests     only what needs no nodes
#   STOREPULSE_BIN     where this workspace's programs are (target/debug)
#   KEEP=1             leave the cluster running
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=tests/k8s
bin=${STOREPULSE_BIN:-target/debug}
tag='test'
namespace=storepulse

fail() {
    printf 'test-k8s: %s\n' "$*" >&2
    exit 2
}
[ -n "${K8S_LAB:-}" ] || fail "K8S_LAB is not set: name the directory with up.sh, which brings up a throwaway cluster"
[ -x "$K8S_LAB/up.sh" ] || fail "K8S_LAB is $K8S_LAB, where there is no up.sh"
[ -n "${STRIMZI_MANIFESTS:-}" ] || fail "STRIMZI_MANIFESTS is not set: name install/cluster-operator of Strimzi's release"
ls "$STRIMZI_MANIFESTS"/*Crd-kafka.yaml >/dev/null 2>&1 || fail "STRIMZI_MANIFESTS is $STRIMZI_MANIFESTS, which has no CRDs"
[ "$(id -u)" -eq 0 ] || fail "a cluster on this machine needs root"
for program in kubectl go python3 curl openssl javac strip; do
    command -v $program >/dev/null || fail "$program is not installed"
done
[ -x "$bin/storepulse-deploy" ] || fail "$bin/storepulse-deploy is not built: make test-k8s builds it"

export LAB=${LAB:-$HOME/.cache/k8s-lab}
# What it builds last tells that all is there.
[ -x "$LAB/bin/coredns" ] || "$K8S_LAB/build.sh"
export PATH=$LAB/bin:$PATH KUBECONFIG=$LAB/run/admin.kubeconfig
work=$(mktemp -d)
chmod 0755 "$work"
stand_in=''
finish() {
    local status=$?
    [ -z "$stand_in" ] || kill "$stand_in" 2>/dev/null || true
    rm -rf k8s/.test-*
    if [ -n "${KEEP:-}" ]; then
        echo "the cluster runs on: KUBECONFIG=$KUBECONFIG; logs in $work" >&2
    else
        "$K8S_LAB/up.sh" down wipe >/dev/null 2>&1 || true
        [ $status -ne 0 ] || rm -rf "$work"
    fi
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

passed=0 failed=()
# test NAME: runs the function NAME. What it writes is shown when it fails.
test_() {
    local name=$1 started=$SECONDS status
    # Not as a condition: there errexit would be off, and nothing could fail.
    set +e
    (
        set -euo pipefail
        "$name"
    ) >"$work/$name.log" 2>&1
    status=$?
    set -e
    if [ $status -eq 0 ]; then
        passed=$((passed + 1))
        printf 'ok       %4d s  %s\n' $((SECONDS - started)) "$name"
    else
        failed+=("$name")
        printf 'FAILED   %4d s  %s\n' $((SECONDS - started)) "$name"
        tail -n 60 "$work/$name.log" | sed 's/^/    /'
    fi
}
conclude() {
    echo
    echo "$passed passed, ${#failed[@]} failed"
    [ ${#failed[@]} -eq 0 ] || { printf 'FAILED: %s\n' "${failed[@]}"; exit 1; }
}
k() { kubectl -n $namespace "$@"; }
deploy() { "$bin/storepulse-deploy" "$@"; }
# refuses CODE TEXT COMMAND…: ends with this code and says this in one line.
refuses() {
    local code=$1 text=$2 status=0
    shift 2
    "$@" >"$work/out" 2>&1 || status=$?
    cat "$work/out"
    [ "$status" -eq "$code" ] || { echo "exit code $status, not $code: $*"; return 1; }
    grep -qF -- "$text" "$work/out" || { echo "it does not say: $text"; return 1; }
}
# eventually SECONDS COMMAND…
eventually() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $until ] || { echo "not in time: $*"; return 1; }
        sleep 1
    done
}
render() { kubectl kustomize "$1"; }

# ---------------------------------------------------------------------------------------------------------------------

without_strimzi_up_says_how_to_get_it() {
    refuses 1 'has no Strimzi' deploy up --yes
}
there_are_no_users() { [ -z "$(kubectl get crd --ignore-not-found -o name kafkausers.kafka.strimzi.io)" ]; }
with_an_older_strimzi_up_says_which_is_needed() {
    local crd=$work/old.yaml
    sed 's/name: v1$/name: v1beta2/' "$STRIMZI_MANIFESTS"/044-Crd-kafkauser.yaml >"$crd"
    kubectl apply --server-side -f "$crd"
    kubectl wait --for=condition=Established crd kafkausers.kafka.strimzi.io --timeout=30s
    refuses 1 'too old: it has kafka.strimzi.io/v1beta2' deploy up --yes
    # kubectl's own waiting may miss that it is gone, and then lasts until its watch ends, after minutes.
    kubectl delete -f "$crd" --wait=false
    eventually 60 there_are_no_users
}
a_wrong_setting_is_named_with_what_is_allowed() {
    refuses 2 'allowed is dev, production' deploy up --overlay nowhere
    refuses 2 'allowed is firestore-key, keda, monitoring' deploy up --with nothing
    refuses 2 'which the kubeconfig does not have' deploy --context nowhere status
    refuses 2 'settings.env' deploy up --overlay production
    KUBECONFIG=/nowhere refuses 2 'no cluster is configured' deploy status
    sed 's/:6443/:1/' "$KUBECONFIG" >"$work/dead.kubeconfig"
    KUBECONFIG=$work/dead.kubeconfig refuses 1 'no cluster answers at' deploy status
}
a_context_that_looks_like_production_is_asked_about() {
    sed 's/name: lab, context/name: shop-prod, context/; s/current-context: lab/current-context: shop-prod/' "$KUBECONFIG" >"$work/prod.kubeconfig"
    KUBECONFIG=$work/prod.kubeconfig refuses 2 'looks like production' deploy up --dry-run </dev/null
}

what_is_not_strimzi_s_release_is_not_installed() {
    local changed=$work/changed
    cp -r "$STRIMZI_MANIFESTS" "$changed"
    chmod -R u+w "$changed"
    echo '# changed' >>"$changed"/010-ServiceAccount-strimzi-cluster-operator.yaml
    refuses 2 'are not those of Strimzi' scripts/k8s-start.sh --image docker.io/test/services:$tag --strimzi-manifests "$changed"
    if k get serviceaccount strimzi-cluster-operator; then
        echo 'it was installed all the same'
        return 1
    fi
}

# The CRDs of Strimzi from its release; those of KEDA and the Prometheus operator from their Go modules.
install_crds() (
    kubectl apply --server-side -f <(cat "$STRIMZI_MANIFESTS"/*-Crd-*.yaml | sed 's/^apiVersion: apiextensions/---\n&/')
    local keda prometheus
    export GOPATH=$LAB/gopath GOMODCACHE=$LAB/gomod GOFLAGS=-mod=mod
    mkdir -p "$work/crds"
    cd "$work/crds"
    keda=$(go mod download -json github.com/kedacore/keda/v2@v2.18.1 | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
    prometheus=$(go mod download -json github.com/prometheus-operator/prometheus-operator@v0.80.1 | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
    kubectl apply --server-side -f "$keda/config/crd/bases/keda.sh_scaledobjects.yaml" -f "$keda/config/crd/bases/keda.sh_triggerauthentications.yaml"
    for kind in podmonitors prometheusrules; do
        kubectl apply --server-side -f "$prometheus/example/prometheus-operator-crd/monitoring.coreos.com_$kind.yaml"
    done
    kubectl wait --for=condition=Established crd --all --timeout=60s
)
# overlay_with OVERLAY COMPONENT…: a kustomization of both.
overlay_with() {
    local overlay=$1 dir=k8s/.test-$1
    shift
    mkdir -p "$dir"
    { echo "resources: [../overlays/$overlay]"; echo "components:"; printf -- '- ../components/%s\n' "$@"; } >"$dir/kustomization.yaml"
    render "$dir"
    rm -r "$dir"
}
every_manifest_of_every_overlay_is_accepted_strictly() {
    kubectl apply --server-side -f k8s/base/namespace.yaml
    local count
    render k8s/overlays/dev >"$work/dev.yaml"
    render k8s/overlays/production >"$work/production.yaml"
    overlay_with dev monitoring keda >"$work/dev-more.yaml"
    overlay_with production monitoring keda firestore-key >"$work/production-more.yaml"
    for file in dev production dev-more production-more; do
        kubectl apply --server-side --dry-run=server --validate=strict -f "$work/$file.yaml" | tee "$work/accepted"
        count=$(grep -c '^kind:' "$work/$file.yaml")
        [ "$(grep -c 'serverside-applied' "$work/accepted")" -eq "$count" ] || { echo "$file: not all of $count"; return 1; }
    done
}
an_unknown_field_is_refused() {
    for change in 's/^    authorization:/    authorisation:/' 's/^    metadataVersion:/    metaVersion:/' 's/terminationGracePeriodSeconds:/terminationGraceSeconds:/' 's/podSelector:/podChooser:/'; do
        sed "$change" "$work/dev.yaml" >"$work/changed.yaml"
        ! cmp -s "$work/dev.yaml" "$work/changed.yaml" || { echo "nothing is changed by $change"; return 1; }
        if kubectl apply --server-side --dry-run=server --validate=strict -f "$work/changed.yaml"; then
            echo "accepted with $change"
            return 1
        fi
    done
}
every_pod_passes_restricted_and_a_privileged_one_does_not() {
    python3 - "$work"/{dev,production-more}.yaml >"$work/pods.yaml" <<'P'
import json, sys, subprocess
pods = []
for file in sys.argv[1:]:
    out = subprocess.run(['kubectl', 'create', '--dry-run=client', '--validate=false', '-o', 'json', '-f', file], check=True, capture_output=True, text=True).stdout.strip()
    # One object after another, or a List, by the version of kubectl.
    found = []
    while out:
        item, end = json.JSONDecoder().raw_decode(out)
        found += item.get('items', [item])
        out = out[end:].strip()
    for item in found:
        if item['kind'] == 'Deployment':
            t = item['spec']['template']
            pods.append({'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': f'try-{len(pods)}-' + item['metadata']['name'], 'namespace': 'storepulse', 'labels': t['metadata']['labels']}, 'spec': {**t['spec'], 'serviceAccountName': 'default'}})
print(json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': pods}))
P
    kubectl create --dry-run=server -f "$work/pods.yaml" 2>&1 | tee "$work/tried"
    [ "$(grep -c 'created (server dry run)' "$work/tried")" -eq 7 ]
    ! grep -i warning "$work/tried" || return 1
    sed 's/"allowPrivilegeEscalation": false/"allowPrivilegeEscalation": true/' "$work/pods.yaml" >"$work/open.yaml"
    ! kubectl create --dry-run=server -f "$work/open.yaml" || { echo "a pod that may escalate its privileges is accepted"; return 1; }
}

# ---------------------------------------------------------------------------------------------------------------------

pod_of() { k get pods -l "app.kubernetes.io/name=$1" --field-selector=status.phase=Running -o jsonpath='{.items[0].metadata.name}'; }
# metric SERVICE PORT NAME: over all pods of the service, through the API server.
metric() {
    local pod
    for pod in $(k get pods -l "app.kubernetes.io/name=$1" --field-selector=status.phase=Running -o jsonpath='{.items[*].metadata.name}'); do
        kubectl get --raw "/api/v1/namespaces/$namespace/pods/$pod:$2/proxy/metrics" 2>/dev/null || true
    done | awk -v name="$3" 'index($1, name) == 1 { s += $2 } END { printf "%d\n", s }'
}
produced() { metric simulator 9101 storepulse_simulator_events_produced_total; }
more_is_produced() { [ "$(produced)" -gt "$1" ]; }
more_is_counted() { [ "$(metric analytics 9102 storepulse_analytics_events_aggregated_total)" -gt "$1" ]; }
analytics_are() { [ "$(k get deployment analytics -o jsonpath='{.status.readyReplicas}')" = "$1" ]; }
say_no_more() { k scale deployment simulator --replicas=0 && k wait --for=delete pod -l app.kubernetes.io/name=simulator --timeout=60s; }

an_image_that_cannot_be_pulled_is_named() {
    FIRESTORE_EMULATOR_IMAGE=docker.io/test/nowhere:1 refuses 1 'the image docker.io/test/nowhere:1 can' deploy up --yes --time-limit 40
}
with_a_stand_in_operator_up_goes_on_from_there_and_ends_with_everything_ready() {
    deploy up --yes --time-limit 420
    deploy status
}
with_a_stand_in_operator_up_again_changes_nothing() {
    local before after
    before=$(k get deployments,networkpolicies,kafkas.kafka.strimzi.io,kafkausers.kafka.strimzi.io -o jsonpath='{range .items[*]}{.kind}/{.metadata.name}={.metadata.generation} {end}')
    deploy up --yes --time-limit 60
    after=$(k get deployments,networkpolicies,kafkas.kafka.strimzi.io,kafkausers.kafka.strimzi.io -o jsonpath='{range .items[*]}{.kind}/{.metadata.name}={.metadata.generation} {end}')
    [ "$before" = "$after" ] || { echo "$before"; echo "$after"; return 1; }
}
events_are_counted() {
    eventually 90 more_is_produced 500
    eventually 90 more_is_counted 500
}
# through_the_port COMMAND…: with the dashboard at localhost:18800, as `up` says how, and its token for curl in a file.
through_the_port() {
    local forward status=0
    kubectl -n $namespace port-forward service/dashboard 18800:8800 >"$work/forward.log" 2>&1 &
    forward=$!
    (umask 077 && { printf 'Authorization: Bearer ' && k get secret dashboard-token -o go-template='{{.data.token | base64decode}}'; } >"$work/header")
    { eventually 20 curl -fsS -m 5 -o /dev/null http://localhost:18800/api/session && "$@"; } || status=$?
    kill $forward 2>/dev/null || true
    wait $forward 2>/dev/null || true
    return $status
}
# status_of ARGUMENTS…: of curl; the status of the answer.
status_of() { curl -sS -m 10 -o /dev/null -w '%{http_code}' "$@"; }
ask() { curl -fsS -m 10 -H "@$work/header" "http://localhost:18800$1"; }
# is WANTED SEEN WHAT
is() { [ "$1" = "$2" ] || { echo "$3: $2 instead of $1"; return 1; }; }
answers_with_the_token_alone() {
    local path
    for path in /api/now /api/pipeline; do
        is 401 "$(status_of "http://localhost:18800$path")" "$path without a token" || return 1
        is 401 "$(status_of -H 'Authorization: Bearer not-the-token-at-all' "http://localhost:18800$path")" "$path with another" || return 1
        is 200 "$(status_of -H "@$work/header" "http://localhost:18800$path")" "$path with the token" || return 1
    done
    is 403 "$(status_of -H 'Host: evil.example' http://localhost:18800/api/session)" "by a foreign name" || return 1
    curl -sS -m 10 -D "$work/head" -o "$work/page.html" http://localhost:18800/ || return 1
    grep -qi "^content-security-policy: default-src 'none'" "$work/head" || { cat "$work/head"; return 1; }
}
the_dashboard_answers_with_the_token_alone() { through_the_port answers_with_the_token_alone; }
shows() {
    { ask /api/now >"$work/now.json" && ask /api/pipeline >"$work/pipeline.json"; } || return 1
    python3 - "$work" <<'P'
import json, sys
now, pipeline = (json.load(open(f'{sys.argv[1]}/{name}.json')) for name in ('now', 'pipeline'))
ready = sorted(s['name'] for s in pipeline['services'] if s['reachable'] and s['ready'])
print(now['today'], ready, pipeline['health'], pipeline['reasons'])
sys.exit(not (now['today'] and now['today']['started_sessions_count'] > 0 and ready == ['analytics', 'simulator']
              and pipeline['aggregated_per_second']))
P
}
shows_the_shop() { eventually 60 shows; }
shows_what_was_found() {
    ask /api/pipeline >"$work/pipeline.json" || return 1
    python3 - "$work" <<'P'
import json, re, sys
audit = json.load(open(f'{sys.argv[1]}/pipeline.json'))['audit']
printed = dict(re.findall(r'^(messages read|differences) +([0-9]+)$', open(f'{sys.argv[1]}/audit').read(), re.M))
print(audit, printed)
sys.exit(not (audit and {'messages read': str(audit['messages']), 'differences': str(audit['differences'])} == printed))
P
}
# The kubelet looks for new contents of a ConfigMap once a minute.
shows_the_audit() { eventually 180 shows_what_was_found; }
the_dashboard_shows_documents_and_how_the_services_are() { through_the_port shows_the_shop; }
the_dashboard_has_nothing_of_kafka_s() {
    k get deployment dashboard -o json >"$work/dashboard.json"
    python3 - "$work/dashboard.json" <<'P'
import json, sys
pod = json.load(open(sys.argv[1]))['spec']['template']
assert 'kafka' not in json.dumps([pod['metadata']['labels'], pod['spec']]).lower(), pod
P
}
a_new_token_takes_the_place_of_the_old_one() {
    local version
    through_the_port cp "$work/header" "$work/header.old"
    deploy rotate token --time-limit 120
    the_old_one_is_refused() {
        is 401 "$(status_of -H "@$work/header.old" http://localhost:18800/api/now)" "the old token" &&
            is 200 "$(status_of -H "@$work/header" http://localhost:18800/api/now)" "the new token"
    }
    through_the_port the_old_one_is_refused
    version=$(k get secret dashboard-token -o jsonpath='{.metadata.resourceVersion}')
    deploy up --yes --time-limit 120
    is "$version" "$(k get secret dashboard-token -o jsonpath='{.metadata.resourceVersion}')" "the token after another up"
}
a_killed_pod_comes_back_and_goes_on() {
    local before
    k delete pod "$(pod_of analytics)" --grace-period=0 --force
    eventually 120 analytics_are 1
    eventually 90 more_is_counted 100
    before=$(produced)
    k delete pod storepulse-brokers-1 --grace-period=0 --force
    eventually 90 more_is_produced $((before + 500))
    eventually 120 k wait --for=condition=Ready pod/storepulse-brokers-1 --timeout=1s
}
instances_come_and_go_in_mid_stream() {
    k scale deployment analytics --replicas=3
    eventually 120 analytics_are 3
    sleep 10
    k scale deployment analytics --replicas=1
    eventually 90 analytics_are 1
    k rollout restart deployment analytics
    k rollout status deployment analytics --timeout=120s
}
after_all_of_it_the_audit_finds_no_difference() {
    say_no_more
    deploy audit --time-limit 300 | tee "$work/audit"
    grep -qE '^differences +0$' "$work/audit"
    [ "$(awk '/^events counted/ { print $3 }' "$work/audit")" -gt 1000 ]
    through_the_port shows_the_audit
}
with_a_stand_in_operator_verify_lets_nobody_in() {
    k scale deployment simulator --replicas=1
    eventually 60 k wait --for=condition=Available deployment/simulator --timeout=1s
    deploy verify
}
without_any_one_network_policy_verify_finds_the_hole() {
    local policy
    for policy in default-deny names kafka kafka-clients kubernetes-api operators metrics metrics-read metrics-readers \
        dashboard dashboard-clients firestore-emulator store-clients; do
        k delete networkpolicy $policy
        refuses 1 "HOLE: NetworkPolicy $policy: it is missing" deploy verify --only drift
        deploy up --yes --time-limit 60
    done
    # One of them alone is not enough to get out: only both together are.
    k delete networkpolicy default-deny names
    refuses 1 'a stranger can connect to' deploy verify --only network
    deploy up --yes --time-limit 60
}
a_policy_that_lets_in_more_is_found() {
    k patch networkpolicy kafka --type=json -p '[{"op": "add", "path": "/spec/ingress/-", "value": {}}]'
    refuses 1 'HOLE: NetworkPolicy kafka: differs' deploy verify --only drift
    deploy up --yes --time-limit 60
    k create -f - <<'P'
{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "backdoor"}, "spec": {"podSelector": {}, "ingress": [{}], "egress": [{}]}}
P
    refuses 1 'HOLE: NetworkPolicy backdoor: the manifests do not have it' deploy verify --only drift
    refuses 1 'a stranger can connect to' deploy verify --only network
    k delete networkpolicy backdoor
    deploy verify --only drift,network
}
behind_the_operators_back() { python3 $here/operator_stand_in.py $namespace "docker.io/test/java:$tag" "$work/volumes" "$work/stand-in" "$@"; }
with_a_stand_in_operator_an_acl_too_few_or_too_many_is_found() {
    behind_the_operators_back delete-acl analytics TOPIC analytics-deltas LITERAL WRITE
    refuses 1 'HOLE: ' deploy verify --only attackers
    behind_the_operators_back acl analytics TOPIC analytics-deltas LITERAL WRITE
    behind_the_operators_back acl simulator TOPIC e-commerce-events LITERAL READ
    refuses 1 'HOLE: simulator-reads' deploy verify --only attackers
    behind_the_operators_back delete-acl simulator TOPIC e-commerce-events LITERAL READ
    deploy verify --only attackers
}
no_secret_is_told() {
    local secret value
    for secret in simulator analytics auditor verifier; do
        value=$(k get secret $secret -o jsonpath='{.data.password}' | base64 -d)
        [ ${#value} -ge 16 ]
        ! grep -rlF -- "$value" "$work"/*.log || { echo "the password of $secret is in a log"; return 1; }
        k get pods,jobs,deployments,configmaps,events -o json >"$work/told.json"
        ! grep -qF -- "$value" "$work/told.json" || { echo "the password of $secret can be read"; return 1; }
    done
    value=$(k get secret dashboard-token -o jsonpath='{.data.token}' | base64 -d)
    [ ${#value} -ge 16 ]
    ! grep -rlF -- "$value" "$work"/*.log || { echo "the dashboard's token is in a log"; return 1; }
    ! grep -qF -- "$value" "$work/told.json" || { echo "the dashboard's token can be read"; return 1; }
    k logs "$(pod_of dashboard)" >"$work/told.txt"
    ! grep -qF -- "$value" "$work/told.txt" || { echo "the log of the dashboard has its token"; return 1; }
    for secret in analytics simulator; do
        value=$(k get secret $secret -o jsonpath='{.data.password}' | base64 -d)
        k logs "$(pod_of $secret)" >"$work/told.txt"
        ! grep -qF -- "$value" "$work/told.txt" || { echo "the log of $secret has its password"; return 1; }
    done
}
with_a_stand_in_operator_rotate_renews_and_events_go_on() {
    local before after
    before=$(k get secrets analytics simulator analytics-tls simulator-tls -o jsonpath='{.items[*].metadata.uid}')
    deploy rotate passwords,clients --time-limit 180
    after=$(k get secrets analytics simulator analytics-tls simulator-tls -o jsonpath='{.items[*].metadata.uid}')
    local uid
    for uid in $before; do
        case " $after " in *" $uid "*) echo "one is not renewed"; return 1 ;; esac
    done
    eventually 90 more_is_produced 200
    eventually 90 more_is_counted 200
}
nothing_is_left() {
    [ -z "$(k get kafkas.kafka.strimzi.io,kafkatopics.kafka.strimzi.io,kafkausers.kafka.strimzi.io,pods,pvc,deployments,networkpolicies,secrets -o name)" ]
}
with_a_stand_in_operator_down_keeps_data_and_delete_data_removes_it() {
    refuses 2 'nobody can be asked here' deploy down --delete-data </dev/null
    deploy down
    [ "$(k get deployments -o name | wc -l)" -eq 0 ]
    k get kafka storepulse
    k get pvc data-0-storepulse-brokers-0
    deploy down --delete-data --yes
    eventually 60 nothing_is_left
    refuses 1 'not healthy' deploy status
}

# ---------------------------------------------------------------------------------------------------------------------

if [ "${ONLY:-}" = manifests ]; then
    "$K8S_LAB/up.sh" api >"$work/cluster.log" 2>&1 || { cat "$work/cluster.log"; fail "the cluster did not come up"; }
else
    "$K8S_LAB/up.sh" all >"$work/cluster.log" 2>&1 || { cat "$work/cluster.log"; fail "the cluster did not come up"; }
fi
echo "cluster: $(kubectl version -o json | sed -n 's/.*"gitVersion": "\(.*\)",/\1/p' | tail -n 1), Strimzi's CRDs of $(basename "$(dirname "$STRIMZI_MANIFESTS")")"
test_ without_strimzi_up_says_how_to_get_it
test_ with_an_older_strimzi_up_says_which_is_needed
install_crds >"$work/crds.log" 2>&1 || { cat "$work/crds.log"; fail "the CRDs could not be installed"; }
test_ a_wrong_setting_is_named_with_what_is_allowed
test_ a_context_that_looks_like_production_is_asked_about
test_ every_manifest_of_every_overlay_is_accepted_strictly
test_ an_unknown_field_is_refused
test_ every_pod_passes_restricted_and_a_privileged_one_does_not
if [ "${ONLY:-}" = manifests ]; then
    conclude
    exit
fi

scripts/fetch-kafka.sh
emulator=${FIRESTORE_EMULATOR_JAR:-/usr/lib/google-cloud-sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar}
[ -f "$emulator" ] || fail "there is no Firestore emulator at $emulator: set FIRESTORE_EMULATOR_JAR"
java=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")}
python3 $here/images.py --out "$work/images.tar" --bin "$bin" --version $tag --jars .cache/kafka-4.3.1/libs --java "$java" --emulator "$emulator"
"$K8S_LAB/up.sh" load "$work/images.tar" >"$work/load.log" 2>&1 || { cat "$work/load.log"; fail "the images could not be loaded"; }
rm "$work/images.tar"
export STOREPULSE_VERSION=$tag FIRESTORE_EMULATOR_IMAGE=docker.io/test/java:$tag
python3 $here/operator_stand_in.py $namespace "docker.io/test/java:$tag" "$work/volumes" "$work/stand-in" >"$work/stand-in.log" 2>&1 &
stand_in=$!

test_ what_is_not_strimzi_s_release_is_not_installed
test_ an_image_that_cannot_be_pulled_is_named
test_ with_a_stand_in_operator_up_goes_on_from_there_and_ends_with_everything_ready
if [ ${#failed[@]} -ne 0 ]; then
    tail -n 20 "$work/stand-in.log"
    conclude
fi
test_ with_a_stand_in_operator_up_again_changes_nothing
test_ events_are_counted
test_ the_dashboard_answers_with_the_token_alone
test_ the_dashboard_shows_documents_and_how_the_services_are
test_ the_dashboard_has_nothing_of_kafka_s
test_ a_killed_pod_comes_back_and_goes_on
test_ instances_come_and_go_in_mid_stream
test_ after_all_of_it_the_audit_finds_no_difference
test_ with_a_stand_in_operator_verify_lets_nobody_in
test_ without_any_one_network_policy_verify_finds_the_hole
test_ a_policy_that_lets_in_more_is_found
test_ with_a_stand_in_operator_an_acl_too_few_or_too_many_is_found
test_ no_secret_is_told
test_ a_new_token_takes_the_place_of_the_old_one
test_ with_a_stand_in_operator_rotate_renews_and_events_go_on
test_ with_a_stand_in_operator_down_keeps_data_and_delete_data_removes_it
conclude
