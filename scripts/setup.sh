# shellcheck shell=bash
# What ./test and ./demo need, found or made. Sourced by both; wants $root to be the checkout.
#
# Nothing on standard output: it belongs to whoever sourced this. apt is called only when
# something is missing, pip only when .venv does not hold what the lock file says.

: "${root:?the checkout, set by whoever sources this}"

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$(basename "$0"): $*"
  exit 1
}

# On Debian an ordinary user's PATH lacks the folder where mosquitto lives.
case ":$PATH:" in
  *:/usr/sbin:*) ;;
  *) PATH="$PATH:/usr/sbin:/sbin" ;;
esac
export PATH

# ---- the machine ---------------------------------------------------------------------------

python_fits() {
  "$1" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info and sys.platform == "linux"))' \
    2>/dev/null
}

find_python() { # prints the Python to build .venv from
  local candidate
  for candidate in ${WARDSEAL_PYTHON:+"$WARDSEAL_PYTHON"} \
    python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if python_fits "$candidate"; then
      # Past any wrapper such as pyenv's, and past our own .venv, which may be made anew.
      "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
      return
    fi
  done
  die "Python 3.11 or newer on Linux is needed. Debian 12, Debian 13 and Raspberry Pi OS bring" \
    "it (apt-get install python3); another one can be named in WARDSEAL_PYTHON."
}

has_library() { "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null; }
has_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || has_program initdb; }
has_program() { command -v "$1" >/dev/null; }

missing_packages() { # missing_packages runtime|full|dev|image|interop: Debian's names, one a line
  has_venv || echo python3-venv
  has_program mosquitto || echo mosquitto
  has_library libturbojpeg.so.0 || echo libturbojpeg0
  has_library libseccomp.so.2 || echo libseccomp2
  has_library libapriltag.so.3 || echo libapriltag3
  if [ "$1" != runtime ]; then # the neighbours
    has_program Orthanc || echo orthanc
    [ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || echo orthanc-dicomweb
    has_program socat || echo socat
    has_program ip || echo iproute2
    has_program node || echo nodejs
    has_program npm || echo npm
  fi
  if [ "$1" != runtime ] && [ "$1" != full ]; then
    has_program shellcheck || echo shellcheck
    has_program dciodvfy || echo dicom3tools
    has_program chromium || echo chromium
    has_program firefox-esr || echo firefox-esr
    has_program curl || echo curl
    has_program qpdf || echo qpdf
    has_program pdftoppm || echo poppler-utils
    has_postgresql || echo postgresql
    has_program rsyslogd || echo rsyslog
    compgen -G '/usr/lib/*/rsyslog/lmnsd_ossl.so' >/dev/null || echo rsyslog-openssl
  fi
  if [ "$1" = image ]; then
    has_program qemu-system-x86_64 || echo qemu-system-x86
    has_program mmdebstrap || echo mmdebstrap
    has_program mke2fs || echo e2fsprogs
    has_program swtpm || echo swtpm
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || echo debian-archive-keyring
  fi
}

# Debian makes and starts a database with the package, unless this file says otherwise; the tests
# make one of their own.
no_cluster() {
  local settings=/etc/postgresql-common/createcluster.conf
  [ -e "$settings" ] ||
    printf 'create_main_cluster = false\n' | "${as_root[@]}" install -D -m 644 /dev/stdin "$settings"
}

# Debian starts every service it installs. We want mosquitto's, Orthanc's and rsyslog's programs, not a
# second broker or an archive on this machine's net, so the services are masked while apt works and left
# disabled afterwards.
install_packages() {
  (
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
      if ! has_program sudo || ! { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        die "these packages are missing, and installing them needs root: $*
Run this as root, then start again:  apt-get install --no-install-recommends $*"
      fi
      as_root=(sudo)
    fi
    has_program apt-get || die "these are missing, and there is no apt-get here: $*
Install them with this system's own tools (the names are Debian's), then start again."

    say "Installing with apt: $*"
    services=()
    for name in mosquitto orthanc rsyslog; do
      case " $* " in *" $name "*) services+=("$name.service") ;; esac
    done
    case " $* " in *" postgresql "*) no_cluster ;; esac
    if [ "${#services[@]}" -gt 0 ] && has_program systemctl; then
      trap '"${as_root[@]}" systemctl --quiet unmask "${services[@]}" >&2 || true' EXIT
      "${as_root[@]}" systemctl --quiet mask "${services[@]}" >&2 || true
    fi

    # RUNLEVEL=1 is for machines without systemd: in that level invoke-rc.d starts nothing.
    apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
      apt-get --quiet --yes -o DPkg::Lock::Timeout=300)
    "${apt[@]}" update >&2 || say "apt-get update failed; trying with the lists that are here."
    "${apt[@]}" install --no-install-recommends "$@" >&2 ||
      die "apt could not install: $* (its own words are above)"

    for service in "${services[@]}"; do
      # Not now, and not at the next start of this machine either.
      "${as_root[@]}" deb-systemd-helper disable "$service" >&2 || true
      "${as_root[@]}" update-rc.d "${service%.service}" disable >&2 || true
      say "${service%.service} is installed; its system service is left off, nothing here uses it."
    done
  )
}

# ---- .venv ---------------------------------------------------------------------------------

sha256() { sha256sum "$1" | cut -d' ' -f1; }

# .venv/made-from says what .venv was made from: which Python, for which folder, which lock files.
make_venv() { # make_venv requirements.lock|requirements-dev.lock
  local lock=$1 venv="$root/.venv" record="$root/.venv/made-from" identity runtime all
  identity="python $("$python" -c 'import sys; print(sys.version.split()[0], sys.base_prefix)')"
  identity="$identity for $root"
  runtime="requirements.lock $(sha256 "$root/requirements.lock")"
  all="requirements-dev.lock $(sha256 "$root/requirements-dev.lock")"
  local wanted=$runtime
  [ "$lock" = requirements.lock ] || wanted=$all

  recorded() { [ -r "$record" ] && grep -qxF -- "$1" "$record"; }
  if recorded "$identity" && recorded "$wanted" && "$venv/bin/python" -c '' 2>/dev/null; then
    return
  fi
  # The developers' lock only adds to the runtime's; anything else starts from nothing, so that
  # a package dropped from the lock cannot linger.
  if ! recorded "$identity" || ! recorded "$runtime" || grep -q '^requirements-dev' "$record"; then
    say "Making .venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2 || die "could not make $venv; its own words are above"
  fi
  say "Installing $(grep -c '==' "$root/$lock") packages from $lock (the first time downloads them)"
  rm -f "$record"
  "$venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --no-input --no-deps \
    --only-binary=:all: --require-hashes --requirement "$root/$lock" >&2 ||
    die "pip could not install from $lock; its own words are above. Ready-built packages exist for
CPython 3.11 to 3.13 on 64-bit x86 and ARM (this is $("$python" --version) on $(uname -m))."

  # The checkout itself: importable from anywhere, and the program beside the other programs.
  local site
  site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  printf '%s\n' "$root" >"$site/wardseal.pth"
  printf '#!/bin/sh\nexec "%s/bin/python" -P -m cli "$@"\n' "$venv" >"$venv/bin/wardseal"
  chmod +x "$venv/bin/wardseal"

  {
    echo "$identity"
    echo "$runtime"
    [ "$lock" = requirements.lock ] || echo "$all"
  } >"$record"
}

# ---- node_modules --------------------------------------------------------------------------

# What npm brings; each folder below the ones that are named has a lock of its own.
make_node_modules() { # make_node_modules FOLDER...
  local folder lock
  while IFS= read -r lock; do
    folder=$(dirname "$lock")
    cmp --silent "$lock" "$folder/node_modules/made-from" 2>/dev/null && continue
    say "Installing what $(basename "$folder") needs from npm"
    npm ci --prefix "$folder" --no-audit --no-fund --ignore-scripts --loglevel=error >&2 ||
      die "npm could not install from $lock; its own words are above"
    cp "$lock" "$folder/node_modules/made-from"
  done < <(find "$@" -name node_modules -prune -o -name package-lock.json -print)
}

# ``full`` is what ./demo --full starts besides: the neighbours, whose moto is in the developers' lock.
set_up() { # set_up runtime|full|dev|image|interop
  local kind=$1 lock=requirements-dev.lock packages
  [ "$kind" != runtime ] || lock=requirements.lock
  python=$(find_python) || exit 1
  mapfile -t packages < <(missing_packages "$kind")
  if [ "${#packages[@]}" -gt 0 ]; then
    install_packages "${packages[@]}" || exit 1
    hash -r
    mapfile -t packages < <(missing_packages "$kind")
    [ "${#packages[@]}" -eq 0 ] ||
      die "still missing after apt: ${packages[*]} (looked with $python)"
  fi
  # One at a time: two terminals may start in one checkout.
  (
    flock 9
    make_venv "$lock"
    case "$kind" in
      runtime) ;;
      full) make_node_modules "$root/neighbours" ;;
      *) make_node_modules "$root/neighbours" "$root/tests" ;;
    esac
  ) 9<"$root/scripts" || exit 1
}
