#!/bin/bash
# What a program could do that took the gate over: run in the gate's own unit, in its place, by the case `sandbox`. Prints a
# line an attempt: "can WHAT" or "cannot WHAT".   probe.sh FOLDER ADDRESS_ALLOWED ADDRESS_OTHER
folder=$1 allowed=$2 other=$3
try() { # what, command…
    what=$1
    shift
    if "$@" > /dev/null 2>&1; then echo "can $what"; else echo "cannot $what"; fi
}
opens() { : <> "$1"; }
reads() { head -c 1 "$1" > /dev/null; }
writes() { : > "$1"; }
connects() { timeout 3 bash -c ": <> /dev/tcp/$1/1883"; }

echo "is user $(id -u -n), groups $(id -G | wc -w), $(grep -c . /proc/self/status) lines of status"
grep -E '^(CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | sed 's/^/is /'
for chip in /dev/gpiochip*; do try "open a GPIO chip" opens "$chip"; break; done
for camera in /dev/video*; do try "open a camera" opens "$camera"; break; done
try "write its journal's folder" writes "$folder/probe"
try "read its configuration" reads /etc/qrgate/lane1.conf
try "reach its broker" connects "$allowed"

try "write its configuration" writes /etc/qrgate/lane1.conf
try "add a trusted key" writes /etc/qrgate/trust/probe.pub
try "read the shadow file" reads /etc/shadow
try "look into /root" ls /root/
try "look into /home" ls /home/.
try "write to /usr/local" writes /usr/local/probe
try "write to /etc" writes /etc/probe
try "write to /var/lib" writes /var/lib/probe
try "write to the real /tmp" ls /tmp/of-the-machine
try "open the disk" reads /dev/loop0
try "open the memory" reads /dev/mem
try "open the kernel's log" reads /dev/kmsg
try "open a serial console" opens /dev/ttyS0
try "see other processes" test -d /proc/1/fd -o -n "$(pgrep -f systemd-journald)"
try "read the kernel's settings of the machine" reads /proc/sysrq-trigger
try "write a kernel setting" writes /sys/kernel/mm/ksm/run
try "signal the first process" kill -0 1
try "mount something" mount -t tmpfs tmpfs "$folder"
try "make a namespace" unshare --user true
try "set the clock" date -s @1000000000
try "set the host name" hostname probe
try "open a raw socket" ping -c 1 -W 1 127.0.0.1
try "get another user" setpriv --reuid 0 true
try "reach another address" connects "$other"
rm -f "$folder/probe"
echo "end of the probe"
