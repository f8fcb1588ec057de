# Stand-in for the image `node`, for `make test-compose` only: Debian with the Node that is installed on this machine, and the
# packages that its npm has fetched before.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends libstdc++6 && rm -rf /var/lib/apt/lists/*
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
COPY cache /var/cache/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
ENV npm_config_offline=true npm_config_cache=/var/cache/npm npm_config_audit=false npm_config_fund=false
