# SPDX-License-Identifier: MIT
# Makes an image of nginx with the shipped configuration. Its upstream is the service `oneportd` of
# docker-compose.yml. Build it from the top of the repository:
#   docker build -f docker/nginx.dockerfile --build-arg DOMAIN=tunnels.example.org .
ARG BASE=debian:bookworm-slim

FROM $BASE
ARG DOMAIN=example.com
RUN apt-get update && apt-get install -y --no-install-recommends nginx-light && rm -rf /var/lib/apt/lists/*
COPY nginx/nginx.conf /etc/nginx/nginx.conf
RUN sed -i "s/example\.com/$DOMAIN/g; s/127\.0\.0\.1:3000/oneportd:3000/; s,/var/log/nginx/error.log,/dev/stderr," /etc/nginx/nginx.conf
EXPOSE 80 443
HEALTHCHECK --interval=15s --timeout=5s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/443"]
ENTRYPOINT ["nginx", "-g", "daemon off;"]
