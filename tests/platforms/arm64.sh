#!/bin/sh
# `make check-arm64`: qrgate for the Pi's processor, cross-built against Debian 13's arm64 packages; its unit and end-to-end
# tests are run by an emulator of that processor on this machine's kernel (qemu-user, by binfmt_misc), and cases of the lab in
# an emulated machine with Debian's kernel for it (qemu-system-aarch64).
#   tests/platforms/arm64.sh [COMMAND…]    in a copy of this repository inside that root; without COMMAND the tests
# BUILD: where the root is kept (build). Exit 77: it can't be run here.
set -eu
name=arm64
. "$(dirname "$0")/root.sh"
[ -d /proc/sys/fs/binfmt_misc ] || cannot "this kernel has no binfmt_misc"
make_root "$(dpkg --print-architecture),arm64"
make_guest arm64 "$repo/tests/lab/guest_arm64.txt"
copy_sources
[ $# -gt 0 ] || set -- tests/platforms/arm64_inside.sh
enter "$@"
