# SPDX-License-Identifier: MIT
# Makes the image of oneport. Build it from the top of the repository:
#   docker build -f docker/client.dockerfile -t oneport .
# Use it:
#   docker run --rm --network host oneport --host https://tunnels.example.org 8080
ARG BASE=debian:bookworm-slim

FROM $BASE AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    gcc libc6-dev libcrypt-dev make pkg-config libnghttp2-dev libssl-dev libevent-dev libcjson-dev libinih-dev \
    libseccomp-dev libqrencode-dev
COPY Makefile /oneport/
COPY packaging /oneport/packaging
COPY h2mux /oneport/h2mux
COPY src /oneport/src
COPY client /oneport/client
RUN make -C /oneport all

FROM $BASE
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates libnghttp2-14 libssl3 libevent-core-2.1-7 libevent-pthreads-2.1-7 libcjson1 libinih1 libseccomp2 \
        libqrencode4 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/oneport --create-home oneport
COPY --from=build /oneport/build/oneport /usr/local/bin/
USER oneport
ENV XDG_STATE_HOME=/var/lib/oneport
VOLUME /var/lib/oneport
ENTRYPOINT ["oneport"]
