#!/usr/bin/env bash
# Starts this machine's system once more, as a container with Wardseal in it. Called by
# container.py in a mount namespace of its own, with everything it needs in the environment.
set -eu

mount -t tmpfs -o size=2G tmpfs "$WORK"
mkdir "$WORK/upper" "$WORK/work" "$WORK/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/root"
ROOT="$WORK/root"

# shellcheck disable=SC2153
if [ "$SIDE" = hospital ]; then
  "$CHECKOUT/systemd/hospital/install" --files "$ROOT"
  systemd-sysusers --root="$ROOT" "$ROOT/usr/lib/sysusers.d/wardseal-hospital.conf"
  rooms='base wire gateway cli appliance'
else
  "$CHECKOUT/image-build/install" --target debian --files-only "$ROOT"
  systemd-sysusers --root="$ROOT" "$ROOT/usr/lib/sysusers.d/wardseal.conf"
  # No photos of patients are taken in here, and nothing starts before it has its keys.
  rm "$ROOT/etc/wardseal/production"
  # The image's disks are not here.
  rm "$ROOT/etc/fstab"
  rm "$ROOT/etc/systemd/system/multi-user.target.wants/wardseal.target"
  if [ "$NOSWAP" = no ]; then rm "$ROOT"/etc/systemd/system/run-wardseal*.d/90-noswap.conf; fi
  rooms='base wire appliance'
fi

# The program, from this checkout and its .venv; image-build/install would make it from wheels.
VENV="$ROOT/usr/lib/wardseal/venv"
SITE="$VENV/lib/python$PYTHON/site-packages"
mkdir -p "$VENV/bin" "$SITE" "$ROOT/usr/lib/wardseal/python" "$ROOT/usr/lib/wardseal/packages"
ln -s "$INTERPRETER" "$VENV/bin/python"
printf 'home = %s\n' "$(dirname "$INTERPRETER")" >"$VENV/pyvenv.cfg"
printf '/usr/lib/wardseal/packages\n' >"$SITE/wardseal.pth"
for room in $rooms; do cp -r "$CHECKOUT/$room" "$SITE/$room"; done

printf '%s' 0123456789abcdef0123456789abcdef >"$ROOT/etc/machine-id"
mkdir -p "$ROOT/etc/systemd/system/multi-user.target.wants" "$ROOT/run"
cat >"$ROOT/etc/systemd/system/wardseal-test.target" <<UNIT
[Unit]
Requires=basic.target
After=basic.target
Wants=test-run.service dbus.socket
UNIT
cat >"$ROOT/etc/systemd/system/test-run.service" <<UNIT
[Unit]
After=basic.target dbus.socket
[Service]
Type=oneshot
ExecStart=$SCRIPT
ExecStopPost=/bin/systemctl poweroff --force --no-block
StandardOutput=file:/out/output
StandardError=inherit
UNIT

# A tree of control groups of our own, in the form that systemd knows everywhere.
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
GROUP="/sys/fs/cgroup/wardseal-test-$$"
mkdir "$GROUP"
echo 0 >"$GROUP/cgroup.procs"
set +e
# A container may by itself neither lock memory nor filter addresses; the device's systemd does both.
# shellcheck disable=SC2086
timeout --kill-after=5 "$SECONDS_AT_MOST" systemd-nspawn --quiet --boot --directory="$ROOT" \
  --machine="wardseal-test-$$" --register=no --keep-unit --console=read-only --private-network \
  --capability=CAP_BPF --system-call-filter="@memlock bpf" \
  --bind="$OUT:/out" --bind-ro="$CHECKOUT" $BINDS \
  systemd.unit=wardseal-test.target systemd.log_target=console </dev/null >"$OUT/console" 2>&1
echo 0 >/sys/fs/cgroup/cgroup.procs
find "$GROUP" -depth -type d -exec rmdir {} +
