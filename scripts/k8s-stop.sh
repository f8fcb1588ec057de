#!/usr/bin/env bash
# Removes storepulse from Kubernetes: all of it, its data (after asking), the Strimzi operator and the namespace. Strimzi's
# CRDs stay, because deleting them deletes every Kafka of the cluster. `--help` lists the options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
NAMESPACE=storepulse

usage() {
    cat <<END
scripts/k8s-stop.sh [options]

  --context NAME           context of the kubeconfig; the current one without this
  --overlay NAME           dev (default) or production
  --delete kind|minikube   delete the cluster $NAMESPACE that k8s-start.sh has made, with everything in it
  --yes                    ask nothing
END
}
fail() {
    printf 'k8s-stop: %s\n' "$*" >&2
    exit 2
}

context='' overlay=dev delete='' yes=''
while [ $# -gt 0 ]; do
    case $1 in
    --context | --overlay | --delete)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in
        --context) context=$2 ;;
        --overlay) overlay=$2 ;;
        --delete) delete=$2 ;;
        esac
        shift 2
        ;;
    --yes) yes=--yes && shift ;;
    --help | -h) usage && exit 0 ;;
    *) fail "$1 is no option; --help lists them" ;;
    esac
done
case $delete in
'') ;;
kind) exec kind delete cluster --name "$NAMESPACE" ;;
minikube) exec minikube delete --profile "$NAMESPACE" ;;
*) fail "--delete is $delete: allowed is kind, minikube" ;;
esac
command -v kubectl >/dev/null || fail "kubectl is not installed: https://kubernetes.io/docs/tasks/tools"
context=${context:-$(kubectl config current-context 2>/dev/null || true)}
[ -n "$context" ] || fail "there is no current context: choose one with --context"
k() { kubectl --context "$context" "$@"; }
k version --request-timeout=15s >/dev/null 2>&1 || fail "the cluster of context $context does not answer"

deploy=${STOREPULSE_DEPLOY:-${CARGO_TARGET_DIR:-target}/release/storepulse-deploy}
[ -x "$deploy" ] || cargo build --workspace --bins --locked --release --quiet
"$deploy" --context "$context" down --delete-data --overlay "$overlay" $yes

# Strimzi's own: what k8s-start.sh has installed, but for the CRDs.
k -n "$NAMESPACE" delete deployment,configmap,serviceaccount,rolebinding -l app=strimzi --ignore-not-found --wait
k delete clusterrolebinding -l app=strimzi --ignore-not-found
k delete namespace "$NAMESPACE" --ignore-not-found --wait --timeout=180s
echo "· storepulse is removed. Strimzi's CRDs and cluster roles stay; without other Kafkas: kubectl delete crd,clusterrole -l app=strimzi"
