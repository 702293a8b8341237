#!/bin/sh
# Process 1 of the lab's guest, once the host's files are there: loads the simulated hardware, runs one case and
# powers off. A case that asks for it is run by systemd, which then is process 1.
name=$1
story=tests/lab/cases/$name.sh

run_the_case_and_power_off() {
    sh -eu "$story" >> /lab/result/story 2>&1
    status=$?
    [ ! -d /run/lab ] || cp /run/lab/*.log /lab/result/ 2>/dev/null
    dmesg > /lab/result/kernel.txt
    echo $status > /lab/result/status
    sync
    echo o > /proc/sysrq-trigger
    sleep 10
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
Description=a case of the lab
After=basic.target
[Service]
Type=exec
WorkingDirectory=$REPO
Environment="REPO=$REPO" "OUT=$OUT" "QRGATED=$QRGATED" "QRGATECTL=$QRGATECTL" HOME=/root LC_ALL=C.UTF-8
ExecStart=/bin/sh tests/lab/guest.sh $name now
StandardOutput=file:/dev/console
StandardError=inherit
UNIT
    cat > $units/lab.target <<'UNIT'
[Unit]
Description=the lab
Requires=basic.target
After=basic.target
Wants=lab.service
AllowIsolate=yes
UNIT
    exec /lib/systemd/systemd --unit=lab.target
}

[ "${2:-}" != now ] || run_the_case_and_power_off
mount -t tmpfs tmpfs /run
mkdir -p /run/lab /dev/shm
mount -t configfs configfs /sys/kernel/config 2>/dev/null
ip link set lo up
while read -r module; do
    options=
    # one HDMI input and one HDMI output, a capture and an output node for pictures
    case $module in # Debian 13 compresses them
        vivid.ko*) options='n_devs=1 num_inputs=1 input_types=0x3 num_outputs=1 output_types=0x1 node_types=0x101' ;;
    esac
    # shellcheck disable=SC2086 # options are words
    insmod "$OUT/cache/modules/$module" $options || echo "lab: $module could not be loaded"
done < "$OUT/cache/case.list"
mount -t configfs configfs /sys/kernel/config 2>/dev/null
read -r up _ < /proc/uptime
echo "lab: hardware is there $up s after the kernel's start"
cd "$REPO" || exit 1
if grep -q '^# init: systemd$' "$story"; then
    if sh -eu "$story" before_boot > /lab/result/story 2>&1; then
        become_systemd
    fi
    echo 1 > /lab/result/status
    sync
    echo o > /proc/sysrq-trigger
    sleep 10
fi
run_the_case_and_power_off
