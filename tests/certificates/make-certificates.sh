#!/usr/bin/env bash
# make-certificates.sh: makes the certificates that the tests use, into a folder.
#
# Usage: make-certificates.sh FOLDER
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -eu
cd "$1"

key () { certtool --generate-privkey --key-type ecdsa --curve secp256r1 --no-text --outfile "$1-key.pem" 2>/dev/null; }

# authority NAME
authority () {
  key "$1"
  printf 'cn = "s9ws test %s"\nca\ncert_signing_key\nexpiration_days = 3650\n' "$1" > "$1.template"
  certtool --generate-self-signed --load-privkey "$1-key.pem" --template "$1.template" --no-text --outfile "$1.pem" 2>/dev/null
}

# certificate NAME AUTHORITY LINE...
certificate () {
  local name=$1 by=$2
  shift 2
  key "$name"
  { printf 'cn = "s9ws test %s"\nsigning_key\n' "$name"; printf '%s\n' "$@"; } > "$name.template"
  certtool --generate-certificate --load-privkey "$name-key.pem" --template "$name.template" --no-text \
    --load-ca-certificate "$by.pem" --load-ca-privkey "$by-key.pem" --outfile "$name.pem" 2>/dev/null
}

here=(tls_www_server 'dns_name = "localhost"' 'ip_address = "127.0.0.1"' 'ip_address = "::1"')

authority ca
authority unknown-ca
certificate good ca "${here[@]}" 'expiration_days = 3650'
certificate expired ca "${here[@]}" 'activation_date = "2020-01-01 00:00:00"' 'expiration_date = "2020-02-01 00:00:00"'
certificate wrong-host ca tls_www_server 'dns_name = "elsewhere.example"' 'expiration_days = 3650'
certificate unknown unknown-ca "${here[@]}" 'expiration_days = 3650'
certificate client ca tls_www_client 'expiration_days = 3650'

key self-signed
{ printf 'cn = "localhost"\nsigning_key\nexpiration_days = 3650\n'; printf '%s\n' "${here[@]}"; } > self-signed.template
certtool --generate-self-signed --load-privkey self-signed-key.pem --template self-signed.template --no-text \
  --outfile self-signed.pem 2>/dev/null

rm -f ./*.template
