#!/bin/sh
# Process 1 of the lab's guest, once the host's files are there: loads the simulated hardware, runs one case and
# powers off.
name=$1
mount -t tmpfs tmpfs /run
mkdir -p /run/lab /dev/shm
mount -t configfs configfs /sys/kernel/config 2>/dev/null
ip link set lo up
while read -r module; do
    options=
    # one HDMI input and one HDMI output, a capture and an output node for pictures
    [ "$module" != vivid.ko ] ||
        options='n_devs=1 num_inputs=1 input_types=0x3 num_outputs=1 output_types=0x1 node_types=0x101'
    # shellcheck disable=SC2086 # options are words
    insmod "$OUT/cache/modules/$module" $options || echo "lab: $module could not be loaded"
done < "$OUT/cache/case.list"
mount -t configfs configfs /sys/kernel/config 2>/dev/null
read -r up _ < /proc/uptime
echo "lab: hardware is there $up s after the kernel's start"
cd "$REPO" || exit 1
sh -eu "tests/lab/cases/$name.sh" > /lab/result/story 2>&1
status=$?
[ ! -d /run/lab ] || cp /run/lab/*.log /lab/result/ 2>/dev/null
dmesg > /lab/result/kernel.txt
echo $status > /lab/result/status
sync
echo o > /proc/sysrq-trigger
sleep 10
