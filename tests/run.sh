#!/usr/bin/env bash
# run.sh: installs what is needed, builds, and runs all tests.
#
# Usage: tests/run.sh [--quick]
#
#   --quick   the plain build only: no sanitizers, no fuzzing
#
# Ends with a line "N passed, N failed, N skipped" of what really ran.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
cd "$(dirname "$0")/.." || exit 1

quick=no
[ "${1:-}" = --quick ] && quick=yes
fuzz_seconds=${FUZZ_SECONDS:-60}
build=${BUILD_DIR:-_build-tests}

packages="gcc clang llvm libclang-rt-dev meson ninja-build pkg-config gettext valgrind
  libglib2.0-dev libgirepository1.0-dev gobject-introspection libgnutls28-dev zlib1g-dev
  gnutls-bin softhsm2 nginx-light python3-gi gjs valac glib-networking
  libgtk-4-dev gir1.2-gtk-4.0 gir1.2-atspi-2.0 at-spi2-core dbus-daemon xvfb xdotool imagemagick desktop-file-utils
  mandoc bash mypy locales
  python3-websockets nodejs node-ws libsoup-3.0-dev libwebsockets-dev
  gi-docgen abigail-tools tinyproxy-bin squid dante-server microsocks openssl haproxy
  openssh-client python3-asyncssh util-linux"

. tests/install.sh
install_packages $packages || exit 1

passed=0 failed=0 skipped=0

# Adds up the TAP of one run of meson test, from its JSON log.
count () {
  read -r p f s < <(/usr/bin/python3 tests/count.py "$1") || { p=0; f=1; s=0; }
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# run NAME SETUP-ARGUMENTS... [-- TEST-ARGUMENTS...]
run () {
  local name=$1 dir=$build/$1 setup=() test=() status
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do setup+=("$1"); shift; done
  [ $# -gt 0 ] && shift
  test=("$@")

  echo "== $name"
  if [ -f "$dir/build.ninja" ]; then
    meson setup --reconfigure "$dir" "${setup[@]}" > "$dir.log" 2>&1
  else
    meson setup "$dir" "${setup[@]}" > "$dir.log" 2>&1
  fi
  status=$?
  [ $status = 0 ] && { ninja -C "$dir" >> "$dir.log" 2>&1; status=$?; }
  if [ $status != 0 ]; then
    tail -n 60 "$dir.log"
    echo "$name: did not build"
    failed=$((failed + 1))
    return
  fi

  rm -f "$dir/meson-logs/testlog.json"
  meson test -C "$dir" --no-rebuild --print-errorlogs "${test[@]}"
  count "$dir/meson-logs/testlog.json"
}

mkdir -p "$build"

run plain -Dwerror=true -Dinstalled_tests=true
if [ $quick = no ]; then
  run address -Dwerror=true -Db_sanitize=address,undefined -Db_lundef=false -Dintrospection=disabled -- --timeout-multiplier 4
  run thread -Dwerror=true -Db_sanitize=thread -Db_lundef=false -Dintrospection=disabled -- --timeout-multiplier 6

  echo "== fuzzing, $fuzz_seconds s each"
  if CC=clang meson setup --wipe "$build/fuzz" -Dfuzzers=true -Dintrospection=disabled -Dinterop=disabled -Dexamples=false > "$build/fuzz.log" 2>&1 || \
     CC=clang meson setup "$build/fuzz" -Dfuzzers=true -Dintrospection=disabled -Dinterop=disabled -Dexamples=false > "$build/fuzz.log" 2>&1; then
    ninja -C "$build/fuzz" tests/fuzz/fuzz-decoder tests/fuzz/fuzz-handshake >> "$build/fuzz.log" 2>&1
  fi
  pids=""
  for target in decoder handshake; do
    mkdir -p "$build/corpus-$target"
    "$build/fuzz/tests/fuzz/fuzz-$target" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 \
      -print_final_stats=1 -artifact_prefix="$build/crash-$target-" \
      "$build/corpus-$target" "tests/fuzz/corpus/$target" > "$build/fuzz-$target.log" 2>&1 &
    pids="$pids $!:$target"
  done
  for pair in $pids; do
    if wait "${pair%%:*}"; then
      echo "fuzz-${pair##*:}: $(grep -o 'stat::number_of_executed_units: *[0-9]*' "$build/fuzz-${pair##*:}.log")"
      passed=$((passed + 1))
    else
      tail -n 40 "$build/fuzz-${pair##*:}.log"
      echo "fuzz-${pair##*:}: failed"
      failed=$((failed + 1))
    fi
  done
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
