#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes a certificate for trying the images: ssl/server.crt and ssl/server.key at the top of the
# repository, for a domain and the names below it, and the authority ssl/ca.crt that has signed it.
# Changes no file that is there. For a server that others use, docs/ten-minutes.md has a real one.
#   docker/try-certificate.sh [DOMAIN [FOLDER]]
set -eu
domain=${1:-example.com}
folder=${2:-$(dirname "$0")/../ssl}
curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

command -v openssl >/dev/null || { echo "try-certificate: openssl is missing" >&2; exit 1; }
mkdir -p "$folder"
cd "$folder"
for file in server.crt server.key ca.crt ca.key; do
    [ ! -e "$file" ] || { echo "try-certificate: $PWD/$file is there already" >&2; exit 1; }
done
log=$(mktemp)
trap 'rm -f "$log" server.csr' EXIT
{
    openssl req -x509 "${curve[@]}" -days 30 -subj "/CN=oneport trial of $domain" -keyout ca.key -out ca.crt &&
        openssl req "${curve[@]}" -subj "/CN=$domain" -keyout server.key -out server.csr &&
        openssl x509 -req -in server.csr -days 30 -CA ca.crt -CAkey ca.key -CAcreateserial \
            -extfile <(echo "subjectAltName=DNS:$domain,DNS:*.$domain") -out server.crt
} 2>"$log" || { cat "$log" >&2; exit 1; }
rm -f ca.srl ca.key
echo "made $PWD/server.crt and server.key for $domain, valid for 30 days"
echo "clients trust them with: oneport --ca $PWD/ca.crt"
