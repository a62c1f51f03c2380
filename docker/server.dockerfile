# SPDX-License-Identifier: MIT
# Makes the image of oneportd. Build it from the top of the repository:
#   docker build -f docker/server.dockerfile .
ARG BASE=debian:bookworm-slim

FROM $BASE AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    gcc libc6-dev libcrypt-dev make pkg-config libnghttp2-dev libssl-dev libevent-dev libcjson-dev libinih-dev \
    libseccomp-dev
COPY Makefile /oneport/
COPY packaging /oneport/packaging
COPY h2mux /oneport/h2mux
COPY src /oneport/src
COPY client /oneport/client
RUN make -C /oneport all

FROM $BASE
RUN apt-get update && apt-get install -y --no-install-recommends \
        libnghttp2-14 libssl3 libevent-core-2.1-7 libevent-pthreads-2.1-7 libcjson1 libinih1 libseccomp2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/oneport --create-home oneport
COPY --from=build /oneport/build/oneportd /usr/local/bin/
USER oneport
VOLUME /var/lib/oneport
EXPOSE 3000
HEALTHCHECK --interval=15s --timeout=5s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3000 && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && grep -q ' 200 OK' <&3"]
ENTRYPOINT ["oneportd", "--listen", ":3000", "--state-dir", "/var/lib/oneport"]
