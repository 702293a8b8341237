#!/bin/sh
# `make check-trixie`: the whole of `make check` on Debian 13, in a folder: libgpiod 2, another ZBar, Paho, json-c and systemd,
# and in the lab Debian 13's own kernel.
#   tests/platforms/trixie.sh [COMMAND…]    in a copy of this repository inside that root; without COMMAND `make check`
# BUILD: where the root is kept (build). Exit 77: it can't be run here.
set -eu
name=trixie
. "$(dirname "$0")/root.sh"
make_root "$(dpkg --print-architecture)"
copy_sources
[ $# -gt 0 ] || set -- make check
enter "$@"
