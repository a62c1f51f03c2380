#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Shares real apps from PyPI and npm, and uses them in Chromium (apps.py). Starts in the repository's
# root. An app whose packages a registry does not give is noted in build/interop/apps/APP.missing, and
# skipped. APPS="vite wave" tries those alone.
set -u
cd "$(dirname "$0")/../.."
work=$PWD/build/interop/apps

skip() {
    echo "apps not tried: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

for program in chromium chromedriver npm git nginx; do
    command -v "$program" >/dev/null || skip "$program is not installed"
done
mkdir -p "$work/npm"
rm -f "$work"/*.missing
[ -x "$work/venv/bin/pip" ] || python3 -m venv "$work/venv" >/dev/null || skip "python3 makes no venv"
[ -f "$work/npm/package.json" ] || echo '{"private": true}' >"$work/npm/package.json"

# Installs the packages $3... of the app $2 by pip or npm ($1).
get() {
    local kind=$1 app=$2
    shift 2
    case $kind in
    pip) "$work/venv/bin/pip" install -q --disable-pip-version-check --retries 1 "$@" ;;
    npm) npm install --prefix "$work/npm" --no-audit --no-fund --silent --fetch-retries=1 "$@" ;;
    esac </dev/null >"$work/$app.log" 2>&1 || echo "$kind cannot get $*" >"$work/$app.missing"
}

wanted() { [ -z "${APPS-}" ] || [[ " $APPS " == *" $1 "* ]]; }

export PYTHONPATH=tests
while read -r app kind packages; do
    # shellcheck disable=SC2086
    ! wanted "$app" || get "$kind" "$app" $packages
done < <(/usr/bin/python3 tests/interop/apps.py --packages)

# shellcheck disable=SC2086
exec /usr/bin/python3 tests/interop/apps.py "$work" ${APPS-}
