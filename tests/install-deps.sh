#!/bin/sh
# Installs by apt what a build and the tests need and is missing. Says what it does; needs root or sudo only when it acts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# What the programs are linked with, or what is loaded into them by the tests.
libraries="libzbar-dev libv4l-dev libgpiod-dev libpaho-mqtt-dev libsqlite3-dev libconfig-dev libcbor-dev libsodium-dev
 libsystemd-dev libseccomp-dev libjpeg62-turbo-dev libpng-dev libqrencode-dev libjson-c-dev libssl-dev zlib1g-dev
 libutf8proc-dev libcairo2-dev libfontconfig-dev
 libcmocka-dev libfaketime libnss-wrapper"
packages="build-essential pkg-config clang cppcheck libclang-rt-dev
 python3 python3-pytest python3-pytest-xdist
 python3-jsonschema python3-cryptography python3-jinja2
 mosquitto mosquitto-clients
 zsh fish
 openssl groff-base qrencode sqlite3
 fonts-dejavu-core poppler-utils zbar-tools
 valgrind
 systemd procps strace ca-certificates"
# The second decoder, tested where it is to be had with its C API.
[ "$(. /etc/os-release && echo "${VERSION_ID%%.*}")" != 13 ] || libraries="$libraries libzxing-dev"
if [ $# -gt 0 ]; then # for the programs of another architecture ($1), tested by an emulator
    for p in $libraries; do packages="$packages $p:$1"; done
    packages="$packages crossbuild-essential-$1 qemu-user"
else
    packages="$packages $libraries"
    [ "$(dpkg --print-architecture)" != amd64 ] || packages="$packages $(cat "$here/lab/packages.txt")"
fi
missing=""
for p in $packages; do
    case "$p" in
    libclang-rt-dev) p=libclang-rt-$(. /etc/os-release; [ "$VERSION_ID" = 12 ] && echo 14 || echo 19)-dev ;;
    gcc-12) p=gcc-$(. /etc/os-release; [ "$VERSION_ID" = 12 ] && echo 12 || echo 14) ;; # as the lab's kernel was built
    libelf1) p=libelf1$(. /etc/os-release; [ "$VERSION_ID" = 12 ] || echo t64) ;;
    esac
    dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then as_root=""; elif command -v sudo >/dev/null; then as_root=sudo; else
    echo "These packages are missing and this is neither root nor sudo:$missing" >&2
    exit 1
fi
echo "installing by apt:$missing"
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
# The broker of the tests is started by the tests; the packaged service isn't wanted beside it.
exit 0
