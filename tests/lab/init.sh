#!/bin/busybox sh
# shellcheck shell=dash
# First program of the lab's guest: puts the host's files, read-only, under a layer of memory and goes on with guest.sh.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
while read -r module; do
    $b insmod "/modules/$module"
done < /boot.list
{ read -r repo && read -r out && read -r machine && read -r cases && read -r qrgated && read -r qrgatectl; } < /lab.args
settings=$($b cat /lab.env)

share() { # tag, folder, access
    $b mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2" || echo "lab: cannot mount $1"
}
share root /lower ro,cache=loose
$b mount -t tmpfs tmpfs /upper
$b mkdir /upper/files /upper/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /new
for folder in proc sys dev; do
    $b mount --move /$folder /new/$folder
done
# The repository and its products may lie on a file system that the first share doesn't show: they have their own.
$b mkdir -p "/new$repo" "/new$out" /new/lab/result
share repo "/new$repo" ro,cache=loose
$b mkdir -p "/new$out"
share out "/new$out" ro,cache=loose
share result /new/lab/result rw
# shellcheck disable=SC2086 # words
exec $b switch_root /new /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    REPO="$repo" OUT="$out" QRGATED="$qrgated" QRGATECTL="$qrgatectl" $settings /bin/sh "$repo/tests/lab/guest.sh" "$machine" $cases
