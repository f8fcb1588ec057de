# The services of storepulse in one image (`services`), and the Firebase emulator for development (`firebase`).
#
#   docker build --target services -t storepulse/services .
#   docker build --target firebase -t storepulse/firebase .
#
# Needs BuildKit (Docker 20.10 or newer). Nothing in here depends on the processor: amd64 and arm64.
#
# Binaries that were built before, on Debian 12 or for an older glibc, are taken from dist/ instead of being compiled. The
# dashboard's page is in its binary: build it first (`npm ci && npm run build` in services/dashboard/web).
#
#   docker build --target services --build-arg BINARIES=prebuilt -t storepulse/services .

# Each base image can be had from elsewhere.
ARG RUST_IMAGE=rust:1.95.0-slim-bookworm
ARG NODE_IMAGE=node:22.19.0-bookworm-slim
# compiled, or prebuilt
ARG BINARIES=compiled

# What compiles, and the Debian that the image's libraries come from.
FROM ${RUST_IMAGE} AS toolchain
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        binutils ca-certificates g++ gcc libc6-dev libsasl2-dev libssl-dev make perl pkg-config zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build

# The workspace without its code: changes only when a dependency or a crate does, and with it the layer below.
FROM toolchain AS manifests
COPY . .
RUN compose/image/skeleton.sh

# The dashboard's page. Packages change seldom, and have a layer of their own.
FROM ${NODE_IMAGE} AS web
WORKDIR /build
COPY services/dashboard/web/package.json services/dashboard/web/package-lock.json ./
RUN npm ci
COPY services/dashboard/web .
RUN npm run build

FROM toolchain AS dependencies
ARG CARGO_PROFILE=release
COPY --from=manifests /build .
RUN cargo build --workspace --bins --locked --profile "$CARGO_PROFILE"

FROM dependencies AS compiled
ARG CARGO_PROFILE=release
COPY . .
COPY --from=web /build/dist services/dashboard/web/dist
# Cargo goes by the time of files, which are older than what was built from the skeleton.
RUN find services tests -name '*.rs' -exec touch {} + \
    && cargo build --workspace --bins --locked --profile "$CARGO_PROFILE" \
    && compose/image/collect.sh "target/$([ "$CARGO_PROFILE" = dev ] && echo debug || echo "$CARGO_PROFILE")" /dist

FROM toolchain AS prebuilt
COPY dist/ /dist/

# The root file system: the binaries, the libraries that they load, and nothing else. No shell.
FROM ${BINARIES} AS root
COPY compose/image/root.sh /usr/local/bin/
RUN root.sh /dist /out

FROM scratch AS services
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="storepulse" \
      org.opencontainers.image.description="Dashboard, simulator, analytics, Kafka administration and attackers" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=root /out/ /
ENV PATH=/usr/local/bin
USER 65532:65532
# Which program it is to be is the container's command: storepulse-analytics run, storepulse-dashboard run,
# storepulse-simulator, storepulse-kafka-admin apply, storepulse-attacker. Probes: `health` of the first three.
CMD ["storepulse-analytics", "--help"]

# Google's Firestore emulator with its UI, by the Firebase CLI.
FROM ${NODE_IMAGE} AS firebase
ARG FIREBASE_TOOLS_VERSION=14.27.0
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/*
ENV FIREBASE_EMULATORS_PATH=/opt/firebase-emulators
RUN npm install --global "firebase-tools@${FIREBASE_TOOLS_VERSION}" && npm cache clean --force
RUN firebase setup:emulators:firestore && firebase setup:emulators:ui \
    && chmod -R a+rX /opt/firebase-emulators \
    && mkdir -p /data /srv/firebase && chgrp 0 /data && chmod 0775 /data
COPY firebase.json firestore.indexes.json /srv/firebase/
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="storepulse-firebase" \
      org.opencontainers.image.description="Firestore emulator and its UI" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# It writes logs where it is started, and settings to its home.
ENV HOME=/tmp
WORKDIR /tmp
USER 65532:0
VOLUME ["/data"]
# Documents are in memory. They are saved when it is stopped, and loaded when it is asked for the first one.
HEALTHCHECK --interval=5s --timeout=10s --start-period=300s CMD ["curl", "-fsS", "-o", "/dev/null", "-H", "Authorization: Bearer owner", \
     "http://127.0.0.1:8080/v1/projects/demo-storepulse/databases/(default)/documents/storepulse?pageSize=1"]
CMD ["firebase", "emulators:start", "--only", "firestore", "--config", "/srv/firebase/firebase.json", \
     "--project", "demo-storepulse", "--import", "/data/saved", "--export-on-exit", "/data/saved"]
