# Muelle in a container: the binary and its site folder on Debian, without root.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates make rustup \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
# The tools change rarely: they stay in the layer cache while the source changes.
COPY Cargo.toml rust-toolchain.toml ./
COPY scripts scripts
RUN scripts/release tools
COPY . .
RUN make release

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends bubblewrap ca-certificates git openssh-client python3-venv \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin muelle \
 && install -d -m 0700 -o muelle -g muelle /data
COPY scripts/lib/ansible.txt /opt/ansible.txt
RUN python3 -m venv /opt/ansible \
 && /opt/ansible/bin/pip install --no-cache-dir --disable-pip-version-check --requirement /opt/ansible.txt
COPY --from=build /source/dist/ /opt/muelle/
ENV PATH=/opt/muelle:$PATH \
    LEPTOS_SITE_ROOT=/opt/muelle/site \
    LEPTOS_HASH_FILES=true \
    MUELLE_DATA__DIR=/data \
    MUELLE_PROVISIONING__ANSIBLE=/opt/ansible/bin \
    MUELLE_SERVER__ADDRESS=0.0.0.0:3000 \
    MUELLE_TLS__MODE=self-signed
USER muelle
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["muelle", "healthcheck"]
ENTRYPOINT ["muelle"]
CMD ["serve"]
