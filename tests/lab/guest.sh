#!/bin/sh
# Process 1 of the lab's guest, once the host's files are there: makes the machine ready, runs the cases and powers off.
#   guest.sh MACHINE CASE…    plain: at once, here; systemd: as its service lab.service, `guest.sh now CASE…`
machine=$1
shift

uptime_s() { cut -d. -f1 /proc/uptime; }
power_off() {
    sync
    echo o > /proc/sysrq-trigger
    sleep 10
}

# $1: case, the rest: what runs it. Its story, its status, how long it took, and the logs that it left in /run/lab.
run_case() {
    case=$1 result=/lab/result/$1
    shift
    mkdir -p /run/lab "$result"
    dmesg --clear
    began=$(uptime_s)
    "$@" timeout -k 5 "$LAB_TIMEOUT_S" sh -eu "tests/lab/cases/$case.sh" > "$result/story" 2>&1
    status=$?
    [ $status != 124 ] || echo "FAILED: stopped after $LAB_TIMEOUT_S s" >> "$result/story"
    cp /run/lab/*.log "$result/" 2>/dev/null
    dmesg > "$result/kernel.txt"
    echo $(($(uptime_s) - began)) > "$result/seconds"
    echo $status > "$result/status.new"
    mv "$result/status.new" "$result/status"
    rm -rf /run/lab
}
# What a plain case starts has process numbers of its own, and is gone with it; then its hardware is taken out.
run_plain_cases() {
    for name; do
        run_case "$name" unshare --pid --fork --kill-child --mount-proc
        echo 0 > /sys/kernel/config/gpio-sim/lab/live 2>/dev/null
        find /sys/kernel/config/gpio-sim/ -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null
        for module in gpio-sim vivid v4l2loopback; do rmmod $module 2>/dev/null; done
        echo 0 > /sys/kernel/tracing/tracing_on 2>/dev/null
        echo > /sys/kernel/tracing/trace 2>/dev/null
    done
}
run_booted_cases() {
    group=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)
    for name; do
        run_case "$name"
        while read -r process; do # what the case left running
            [ "$process" = $$ ] || kill -9 "$process" 2>/dev/null
        done < "$group/cgroup.procs"
    done
}

# Of the host's own services only the log is wanted: a lab waits for nothing else.
become_systemd() {
    rm -f /.dockerenv # the host may be a container, the guest is none
    units=/etc/systemd/system
    mkdir -p $units /etc/systemd/system-generators
    for unit in /lib/systemd/system/sysinit.target.wants/* /lib/systemd/system/sockets.target.wants/* \
        /lib/systemd/system/timers.target.wants/* $units/*.target.wants/*; do
        case $unit in
        *journald.service | *journald.socket | *journald-dev-log.socket | */lab.target.wants/*) ;;
        *) ln -sf /dev/null "$units/$(basename "$unit")" ;;
        esac
    done
    for generator in /lib/systemd/system-generators/*; do
        ln -sf /dev/null "/etc/systemd/system-generators/$(basename "$generator")"
    done
    cat > $units/lab.service <<UNIT
[Unit]
Description=the cases of the lab
After=basic.target
[Service]
Type=exec
WorkingDirectory=$REPO
EnvironmentFile=/lab.env
ExecStart=/bin/sh tests/lab/guest.sh now $*
StandardOutput=file:/dev/console
StandardError=inherit
UNIT
    env | grep -E '^(REPO|OUT|QRGATED|QRGATECTL|HOME|LC_ALL|LAB_[A-Z_]*)=' > /lab.env
    cat > $units/lab.target <<'UNIT'
[Unit]
Description=the lab
Requires=basic.target
After=basic.target
Wants=lab.service
AllowIsolate=yes
UNIT
    # A gate's card is mounted read-only, but for where it must write.
    mount --rbind /tmp /tmp
    mount --rbind /var/tmp /var/tmp
    mount -o remount,bind,ro /
    exec /lib/systemd/systemd --unit=lab.target
}

if [ "$machine" = now ]; then
    run_booted_cases "$@"
    power_off
fi
mount -t tmpfs tmpfs /run
mkdir -p /run/lab /dev/shm
ip link set lo up
while read -r module; do
    insmod "$OUT/cache/modules/$module" || echo "lab: $module could not be loaded"
done < "$OUT/cache/case.list"
mount -t configfs configfs /sys/kernel/config
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
read -r up _ < /proc/uptime
# How slow this machine is today; some seconds where nothing else runs. The cases are as patient, up to what settings allow.
if [ -z "${LAB_SLOWER:-}" ]; then
    LAB_SLOWER=$((${up%.*} / 10 + 1))
    [ $LAB_SLOWER -le 4 ] || LAB_SLOWER=4
    export LAB_SLOWER
fi
echo "lab: the $machine machine is there $up s after the kernel's start; patience: $LAB_SLOWER-fold"
cd "$REPO" || exit 1
[ "$machine" = systemd ] || run_plain_cases "$@"
if [ "$machine" = systemd ]; then
    sh -eu tests/lab/systemd_machine.sh && become_systemd "$@"
fi
power_off
