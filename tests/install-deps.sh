#!/bin/sh
# Installs by apt what a build and the tests need and is missing. Says what it does; needs root or sudo only when it acts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# `install-deps.sh`: all of it; `install-deps.sh demo`: to build and to run the demo; `install-deps.sh ARCH`: for another processor.
wanted=${1:-all}
# What the programs are linked with …
libraries="libzbar-dev libv4l-dev libgpiod-dev libpaho-mqtt-dev libsqlite3-dev libconfig-dev libcbor-dev libsodium-dev
 libsystemd-dev libseccomp-dev libjpeg62-turbo-dev libpng-dev libqrencode-dev libjson-c-dev libssl-dev zlib1g-dev
 libutf8proc-dev libcairo2-dev libfontconfig-dev"
# … the second decoder, where it is to be had with its C API …
[ "$(. /etc/os-release && echo "${VERSION_ID%%.*}")" != 13 ] || libraries="$libraries libzxing-dev"
# … and what the tests link or load into them.
test_libraries="libcmocka-dev libfaketime libnss-wrapper"
demo="build-essential pkg-config mosquitto mosquitto-clients qrencode python3 python3-cryptography fonts-dejavu-core procps"
tests="clang cppcheck libclang-rt-dev
 python3-pytest python3-pytest-xdist python3-jsonschema python3-jinja2
 zsh fish openssl groff-base sqlite3 poppler-utils zbar-tools tzdata
 valgrind systemd strace ca-certificates"
case "$wanted" in
demo) packages="$demo $libraries" ;;
all)
    packages="$demo $libraries $test_libraries $tests"
    [ "$(dpkg --print-architecture)" != amd64 ] || packages="$packages $(cat "$here/lab/packages.txt")"
    ;;
*) # the programs of another architecture, tested by an emulator
    packages="$demo $tests crossbuild-essential-$wanted qemu-user $(cat "$here/lab/packages_$wanted.txt")"
    for p in $libraries $test_libraries; do packages="$packages $p:$wanted"; done
    ;;
esac
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
