#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Shares real apps from PyPI and npm, and uses them in Chromium (apps.py). Starts in the repository's
# root. A package that a registry does not give is noted in build/interop/apps/NAME.missing, and the
# apps that need it are skipped. APPS="vite wave" tries those alone.
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

# Installs the packages $3... by pip or npm ($1), of which $2 is the name that apps.py looks for.
get() {
    local kind=$1 name=$2
    shift 2
    case $kind in
    pip) "$work/venv/bin/pip" install -q --disable-pip-version-check --retries 1 "$@" ;;
    npm) npm install --prefix "$work/npm" --no-audit --no-fund --silent --fetch-retries=1 "$@" ;;
    esac >"$work/$name.log" 2>&1 || echo "$kind cannot get $*" >"$work/$name.missing"
}

wanted() { [ -z "${APPS-}" ] || [[ " $APPS " == *" $1 "* ]]; }

# One line for each app: its name in apps.py, then what it needs.
while read -r app kind name packages; do
    # shellcheck disable=SC2086
    ! wanted "$app" || get "$kind" "$name" $packages
done <<'END'
vite npm vite vite@8.3.8
webpack npm webpack webpack@5.112.2 webpack-cli@6 webpack-dev-server@5
next npm next next@16.4.6 react@19 react-dom@19
socketio npm socket.io socket.io@4.8.4
django pip django django==5.2.*
flask pip flask flask
jupyter pip jupyterlab jupyterlab
streamlit pip streamlit streamlit
gradio pip gradio gradio
wave pip h2o-wave h2o-wave
nitro pip h2o-nitro h2o-nitro[web] flask simple-websocket
wsgidav pip wsgidav wsgidav cheroot
END

# shellcheck disable=SC2086
exec env PYTHONPATH=tests /usr/bin/python3 tests/interop/apps.py "$work" ${APPS-}
