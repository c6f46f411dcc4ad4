#!/usr/bin/env bash
# quickstart.sh: installs what is missing, builds, and shows the three clients at work.
#
# Usage: examples/quickstart.sh [URI]
#
# Without a URI, a small echo server of ours is started on free loopback ports, for
# plain ws and for wss with a certificate made for it, and stopped at the end.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
cd "$(dirname "$0")/.." || exit 1

build=${BUILD_DIR:-_build}
bold="" dim="" green="" red="" plain=""
if [ -t 1 ]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

say () { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }

. tests/install.sh
say "1. What is needed"
install_packages gcc meson ninja-build pkg-config gettext libglib2.0-dev libgnutls28-dev zlib1g-dev \
  libgirepository1.0-dev gobject-introspection gnutls-bin glib-networking || exit 1
echo "   everything is installed"

say "2. Building"
mkdir -p "$build"
if ! { { [ -f "$build/build.ninja" ] || meson setup "$build" -Dinterop=disabled; } && ninja -C "$build"; } > "$build/quickstart.log" 2>&1; then
  tail -n 40 "$build/quickstart.log"
  exit 1
fi
echo "   done, in $build"

server="" ca=""
work=$(mktemp -d)
stop () {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
  fi
  rm -rf "$work"
}
trap stop EXIT

if [ $# -gt 0 ]; then
  uris=("$@")
else
  say "3. An echo server"
  certificates=$build/tests/certificates
  ca=$certificates/ca.pem
  "$build/tests/server/s9ws-test-server" --tls-certificate "$certificates/good.pem" \
    --tls-key "$certificates/good-key.pem" > "$work/server" 2>&1 &
  server=$!
  for _ in $(seq 100); do
    [ "$(grep -c '^wss\?://' "$work/server")" -ge 2 ] && break
    sleep 0.1
  done
  mapfile -t uris < <(grep '^wss\?://' "$work/server")
  if [ ${#uris[@]} -lt 2 ]; then
    cat "$work/server"
    exit 1
  fi
  printf '   %s\n' "${uris[@]}"
fi

status=0
for uri in "${uris[@]}"; do
  for client in echo-blocking echo-blocking-timeout echo-non-blocking echo-async; do
    say "$client $uri"
    if "$build/examples/$client" "$uri" ${ca:+"$ca"} 2>&1 | sed "s/^/   ${dim}|${plain} /"; [ "${PIPESTATUS[0]}" = 0 ]; then
      echo "   ${green}fine${plain}"
    else
      echo "   ${red}failed${plain}"
      status=1
    fi
  done
done

if [ $status = 0 ]; then
  say "All clients have talked to all servers."
  echo "   Their programs are in examples/; README.md says which client to choose."
else
  say "Something failed; see above."
fi
exit $status
