#!/bin/sh
# Inside the root that arm64.sh made: installs, cross-builds, runs the tests by emulators. QRG_STEPS=unit,e2e,lab: some.
set -eu
export DEBIAN_FRONTEND=noninteractive
tests/install-deps.sh arm64

# The kernel must know what to do with a program of the other processor, for the daemon starts itself as its own eye.
fs=/proc/sys/fs/binfmt_misc
mount -t binfmt_misc binfmt_misc $fs
if [ ! -f $fs/qrgate-arm64 ]; then # magic and mask of an ELF program for AArch64; F: the emulator is opened now
    printf '%s' ':qrgate-arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:'\
'\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64:F' > $fs/register
fi
trap 'echo -1 > $fs/qrgate-arm64' EXIT

export CC=aarch64-linux-gnu-gcc CXX=aarch64-linux-gnu-g++ PKG_CONFIG=aarch64-linux-gnu-pkg-config # tests build with them, too
wanted=everything
[ "${QRG_STEPS:-}" != lab ] || wanted=all
make --no-print-directory -j"$(nproc)" BUILD=build/arm64 $wanted
file=$(readelf -h build/arm64/qrgated | sed -n 's/ *Machine: *//p')
echo "check-arm64: qrgated is built for $file and says: $(build/arm64/qrgated --version)"
QRG_PLATFORM=arm64 /usr/bin/python3 tests/check.py
