#!/usr/bin/env bash
# run.sh: compares s9ws with a bare socket and with other clients
#
# Usage: tests/bench/run.sh [--quick] [--output FOLDER]
#
#   --quick          two minutes instead of thirteen: for a look
#   --output FOLDER  where figures.json, report.md, readme.md and the pictures go
#                    (_build-bench/figures)
#
# Installs the peers, builds, measures, and prints the tables; readme.md is the part of
# them that README shows.  Let nothing else run meanwhile.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -eu
cd "$(dirname "$0")/../.."

quick=()
build=${BUILD_DIR:-_build-bench}
output=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=(--quick) ;;
    --output) output=$2; shift ;;
    *) sed -n '3,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
  shift
done
output=${output:-$build/figures}

. tests/install.sh
install_packages gcc g++ meson ninja-build pkg-config gettext valgrind strace gnutls-bin glib-networking \
  libglib2.0-dev libgirepository1.0-dev gobject-introspection libgnutls28-dev zlib1g-dev \
  libsoup-3.0-dev libwebsockets-dev libwslay-dev libboost-dev libssl-dev \
  python3-gi python3-websockets python3-matplotlib gjs nodejs node-ws

# Optimized as most distributions do.
options=(-Dbuildtype=release -Db_lto=true -Dbenchmarks=enabled -Dintrospection=enabled -Dvapi=disabled -Dexamples=false -Dinterop=disabled)
if [ -f "$build/build.ninja" ]; then
  meson setup --reconfigure "$build" "${options[@]}" > "$build.log"
else
  meson setup "$build" "${options[@]}" > "$build.log"
fi
ninja -C "$build" s9ws-bench >> "$build.log" || { tail -n 40 "$build.log"; exit 1; }

mkdir -p "$output"
status=0
/usr/bin/python3 tests/bench/measure.py "$build" "$output/figures.json" "${quick[@]}" || status=$?
/usr/bin/python3 tests/bench/report.py "$output/figures.json" > "$output/report.md"
/usr/bin/python3 tests/bench/report.py "$output/figures.json" --readme > "$output/readme.md"
/usr/bin/python3 tests/bench/report.py "$output/figures.json" --waiting > "$output/waiting.md"
/usr/bin/python3 tests/bench/draw.py "$output/figures.json" "$output"
cat "$output/report.md"
echo
cat "$output/readme.md"
echo
echo "All of it is in $output."
exit $status
