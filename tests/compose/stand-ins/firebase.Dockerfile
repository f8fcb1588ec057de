# Stand-in for our own target `firebase`, for `make test-compose` only: Google's emulator without the Firebase CLI.
ARG BASE
FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl openjdk-17-jre-headless python3 \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /data /srv/page && chgrp 0 /data && chmod 0775 /data \
    && echo 'The Firebase CLI and its UI are not here: this is a stand-in.' >/srv/page/index.html
COPY cloud-firestore-emulator.jar /opt/
COPY firebase.sh /usr/local/bin/
USER 65532:0
VOLUME ["/data"]
CMD ["/bin/sh", "/usr/local/bin/firebase.sh"]
