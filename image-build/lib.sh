# shellcheck shell=bash
# Shared by the programs of image-build/; wants $here to be their folder.

: "${here:?the folder image-build, set by whoever sources this}"
checkout=$(dirname "$here")
program="image-build/$(basename "$0")"

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$program: $*"
  exit 1
}

wrong() {
  say "$program: $*; see $program --help"
  exit 2
}

usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//p}' "$0"; }

words() { # words FILE: without comments and blank lines
  sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$1"
}

locked() { # requirements.lock without the packages that no device needs
  words "$here/packages/not-on-the-device" |
    awk 'NR == FNR { skip[$1] = 1; next }
         /^[^ ]/ { name = $0; sub(/==.*/, "", name) }
         !(name in skip)' - "$checkout/requirements.lock"
}
