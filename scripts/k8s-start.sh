#!/usr/bin/env bash
# Brings storepulse up on Kubernetes: images, the Strimzi operator, and all of storepulse. Can be run again at any point,
# and goes on from there. `--help` lists the options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

STRIMZI_VERSION=1.2.0
STRIMZI_URL=https://github.com/strimzi/strimzi-kafka-operator/releases/download/$STRIMZI_VERSION/strimzi-$STRIMZI_VERSION.tar.gz
# Of the files of its install/cluster-operator, one after another in the order of their names.
STRIMZI_SHA256=${STRIMZI_SHA256:-54cec5cc0909e817a53f1c6f46117a17d66885881db3b61d78739df9e83f4925}
NAMESPACE=storepulse
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/storepulse

usage() {
    cat <<END
scripts/k8s-start.sh [options] [-- options of storepulse-deploy up]

  --create kind|minikube    make a cluster of the name $NAMESPACE (or use it, where it is there)
  --context NAME            context of the kubeconfig; the current one without this
  --overlay NAME            dev (default) or production
  --image IMAGE             storepulse's image, built elsewhere and pulled by the cluster: nothing is built or loaded
  --strimzi-manifests DIR   the directory of a Strimzi $STRIMZI_VERSION release (install/cluster-operator): nothing is downloaded
  --strimzi-registry NAME   where the images of Strimzi come from, instead of quay.io
  --skip-operator           Strimzi is installed, and watches namespace $NAMESPACE
  --yes                     ask nothing

Without --strimzi-manifests the release is downloaded once and kept in $CACHE. Wherever its files come from, they are
installed only if they are those of the release: their checksum is pinned. For files that were changed on purpose, set
STRIMZI_SHA256 to theirs: LC_ALL=C cat DIR/*.yaml | sha256sum
END
}
say() { printf '%s\n' "· $*" >&2; }
fail() {
    printf 'k8s-start: %s\n' "$*" >&2
    exit 2
}
need() { command -v "$1" >/dev/null || fail "$1 is not installed: $2"; }

create='' context='' overlay=dev image='' strimzi='' strimzi_registry='' operator=yes yes=''
while [ $# -gt 0 ]; do
    case $1 in
    --create | --context | --overlay | --image | --strimzi-manifests | --strimzi-registry)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in
        --create) create=$2 ;;
        --context) context=$2 ;;
        --overlay) overlay=$2 ;;
        --image) image=$2 ;;
        --strimzi-manifests) strimzi=$2 ;;
        --strimzi-registry) strimzi_registry=${2%/} ;;
        esac
        shift 2
        ;;
    --skip-operator) operator='' && shift ;;
    --yes) yes=--yes && shift ;;
    --help | -h) usage && exit 0 ;;
    --) shift && break ;;
    *) fail "$1 is no option; --help lists them" ;;
    esac
done

need kubectl "https://kubernetes.io/docs/tasks/tools"
[ -f "k8s/overlays/$overlay/kustomization.yaml" ] ||
    fail "--overlay is $overlay: allowed is $(cd k8s/overlays && echo *)"

# The cluster.
case $create in
'') ;;
kind)
    need kind "https://kind.sigs.k8s.io"
    if ! kind get clusters 2>/dev/null | grep -qx "$NAMESPACE"; then
        say "making a cluster with kind"
        kind create cluster --name "$NAMESPACE" --wait 180s
    fi
    context=kind-$NAMESPACE
    ;;
minikube)
    need minikube "https://minikube.sigs.k8s.io"
    if ! minikube status --profile "$NAMESPACE" >/dev/null 2>&1; then
        say "making a cluster with minikube (calico, because its default network enforces no policies)"
        minikube start --profile "$NAMESPACE" --cni calico --cpus 4 --memory 8g
    fi
    context=$NAMESPACE
    ;;
*) fail "--create is $create: allowed is kind, minikube" ;;
esac
context=${context:-$(kubectl config current-context 2>/dev/null || true)}
[ -n "$context" ] || fail "there is no current context: choose one with --context, or make a cluster with --create kind"
kubectl config get-contexts "$context" >/dev/null 2>&1 ||
    fail "--context is $context, which the kubeconfig does not have: it has $(kubectl config get-contexts -o name | tr '\n' ' ')"
k() { kubectl --context "$context" "$@"; }
k version --request-timeout=15s >/dev/null 2>&1 ||
    fail "the cluster of context $context does not answer: is it running? (--create kind makes one)"
case $context in
*[Pp][Rr][Oo][Dd]* | *[Ll][Ii][Vv][Ee]*)
    if [ -z "$yes" ] && [ "$overlay" != production ]; then
        [ -t 0 ] || fail "context $context looks like production, and the overlay is $overlay: give --yes to go on"
        read -r -p "Context $context looks like production, and the overlay is $overlay. Type $context to go on: " answer
        [ "$answer" = "$context" ] || fail "nothing was done"
    fi
    ;;
esac
memory=$(k get nodes -o jsonpath='{range .items[*]}{.status.allocatable.memory}{"\n"}{end}' |
    awk '/Ki$/ { s += $1 } /Mi$/ { s += $1 * 1024 } /Gi$/ { s += $1 * 1048576 } /[0-9]$/ { s += $1 / 1024 } END { print int(s / 1048576) }')
if [ "$memory" -lt 6 ]; then
    fail "the cluster's nodes have $memory GiB of memory together: six are needed (minikube start --memory 8g)"
fi

# The image: built here and loaded, where nobody gives one.
version=$(sed -n 's/^ *newTag: *//p' k8s/base/kustomization.yaml)
if [ -n "$image" ]; then
    case $image in
    */services:*) ;;
    *) fail "--image is $image: its name must end in /services:VERSION" ;;
    esac
    export STOREPULSE_VERSION=${image##*:} STOREPULSE_REGISTRY=${image%/services:*}
else
    reference=${STOREPULSE_REGISTRY:-storepulse}/services:${STOREPULSE_VERSION:-$version}
    case $context in
    kind-* | minikube | "$NAMESPACE")
        need docker "https://docs.docker.com/engine/install; or give an image that the cluster can pull, with --image"
        docker info >/dev/null 2>&1 || fail "the Docker daemon does not answer: start it, or give an image with --image"
        say "building $reference"
        docker build --target services --tag "$reference" .
        say "loading it into the cluster"
        case $context in
        kind-*) kind load docker-image "$reference" --name "${context#kind-}" ;;
        *) minikube image load "$reference" --profile "$context" ;;
        esac
        ;;
    *) say "the cluster of context $context pulls $reference by itself (--image chooses another)" ;;
    esac
fi

# The operator, limited to the namespace.
install_operator() {
    local dir=$strimzi sum
    if [ -z "$dir" ]; then
        dir=$CACHE/strimzi-$STRIMZI_VERSION/install/cluster-operator
        if [ ! -d "$dir" ]; then
            need curl "or give the release's directory with --strimzi-manifests"
            mkdir -p "$CACHE"
            say "downloading Strimzi $STRIMZI_VERSION"
            curl --fail --location --silent --show-error --output "$CACHE/strimzi.tar.gz" "$STRIMZI_URL" ||
                fail "$STRIMZI_URL can't be downloaded: give the release's directory with --strimzi-manifests"
            tar -xzf "$CACHE/strimzi.tar.gz" -C "$CACHE" ||
                fail "what $STRIMZI_URL answers is no archive: give the release's directory with --strimzi-manifests"
            rm "$CACHE/strimzi.tar.gz"
        fi
    fi
    ls "$dir"/*Crd-kafka.yaml >/dev/null 2>&1 ||
        fail "--strimzi-manifests is $dir, which has no CRDs: give install/cluster-operator of Strimzi's release $STRIMZI_VERSION"
    grep -q "operator:$STRIMZI_VERSION" "$dir"/*Deployment-strimzi-cluster-operator.yaml ||
        fail "the Strimzi in $dir is not $STRIMZI_VERSION"
    sum=$(LC_ALL=C && cat "$dir"/*.yaml | sha256sum | cut -d ' ' -f 1)
    [ "$sum" = "$STRIMZI_SHA256" ] ||
        fail "the files in $dir are not those of Strimzi $STRIMZI_VERSION: their checksum is $sum, not $STRIMZI_SHA256; nothing was installed (delete them, or see STRIMZI_SHA256 in --help)"
    say "installing Strimzi $STRIMZI_VERSION into namespace $NAMESPACE"
    kubectl kustomize k8s/base | awk 'BEGIN { RS = "---\n" } /kind: Namespace/ { print; exit }' |
        k apply --server-side --field-manager storepulse-deploy --force-conflicts -f - >/dev/null
    local file
    for file in "$dir"/*.yaml; do
        sed -e "s/namespace: myproject$/namespace: $NAMESPACE/" ${strimzi_registry:+-e "s#quay.io/#$strimzi_registry/#"} "$file" |
            k -n "$NAMESPACE" apply --server-side --field-manager k8s-start --force-conflicts -f - >/dev/null
    done
    k wait --for=condition=Established crd -l app=strimzi --timeout=60s >/dev/null
}
if [ -n "$operator" ]; then
    found=$(k get crd kafkas.kafka.strimzi.io -o jsonpath='{.spec.versions[*].name}' 2>/dev/null || true)
    case " $found " in
    '  ' | *' v1 '*) install_operator ;;
    *) fail "the cluster's Strimzi is too old: it has kafka.strimzi.io/${found// /, }, and v1 is needed; upgrade it first" ;;
    esac
fi

# storepulse.
deploy=${STOREPULSE_DEPLOY:-}
if [ -z "$deploy" ]; then
    need cargo "https://rustup.rs"
    cargo build --workspace --bins --locked --release --quiet
    deploy=${CARGO_TARGET_DIR:-target}/release/storepulse-deploy
fi
exec "$deploy" --context "$context" up --overlay "$overlay" $yes "$@"
