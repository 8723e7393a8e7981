#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing: scripts/packages.sh PACKAGE...
set -euo pipefail

die() {
  echo "packages.sh: $1" >&2
  exit 1
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  die "this is not a Debian-like system (no dpkg-query or apt-get); install the counterparts of: $*"
fi

installed=" $(dpkg-query --show --showformat='${Package}/${db:Status-Status} ' "$@" 2>/dev/null || true)"
missing=()
for package in "$@"; do
  [[ $installed == *" $package/installed "* ]] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=(env DEBIAN_FRONTEND=noninteractive)
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || die "not root and no sudo; as root: apt-get install ${missing[*]}"
  as_root=(sudo "${as_root[@]}")
fi

echo "Installing Debian packages: ${missing[*]}"
options=(-qq -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0)
"${as_root[@]}" apt-get "${options[@]}" update ||
  die "apt-get update failed; as root: apt-get install ${missing[*]}"
"${as_root[@]}" apt-get "${options[@]}" install --yes --no-install-recommends "${missing[@]}" >/dev/null ||
  die "apt-get could not install: ${missing[*]}"
