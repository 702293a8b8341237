# shellcheck shell=dash
# The power goes the moment that somebody was let in, many times: whatever the kernel had not yet written to the card is gone. Who was
# let in is in the journal all the same, its chain holds, and the gate works again. (ext4 itself plays the cut, as its own tests do:
# from the ioctl on nothing reaches the disk, and what only memory held is lost.)
. tests/lab/steps.sh
times=${LAB_POWER_CUTS:-5}
disk=/run/disk
pulse_ms=5000 # its middle is met on a busy host too
trap 'umount $run/gate 2> /dev/null || true; rm -f $disk' EXIT

cut_the_power() { # EXT4_IOC_SHUTDOWN, without flushing anything
    /usr/bin/python3 -c '
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 2))' $run/gate
    kill -9 "$gate"
    wait "$gate" 2> /dev/null || true
    umount $run/gate
}
come_in() { # person $1
    qrencode -8 -s 6 -o $run/new.png "$(card "$1")"
    mv $run/new.png "$run/wall/$1.png"
    wait_until_relay_is 1 60
}
let_in() { ctl events --limit 0 --json | grep -c '"kind":"granted"' || true; }

say "given a gate with its journal on a card of its own"
while read -r module; do
    insmod "$OUT/cache/modules/$module" 2> /dev/null || true # some are there already
done < "$OUT/cache/disk.list"
truncate -s 32M $disk
mkfs.ext4 -q -F $disk
mkdir -p $run/gate
mount -o loop $disk $run/gate
given_wires
watch_the_wires
given_no_camera
given_a_broker
given_a_gate $pulse_ms
given_people "$times"

say "when the power goes in the middle of a pulse, $times times"
for n in $(seq "$times"); do
    come_in "$n"
    cut_the_power
    rm "$run/wall/$n.png"
    mount -o loop $disk $run/gate
    ctl verify > $run/verify.log
    [ "$(let_in)" = "$n" ] || fail "$n were let in, the journal knows of $(let_in)"
    given_a_gate $pulse_ms
    relay_is 0 || fail "the relay is on after the start"
done
say "then each time who was let in is in the journal, and its chain holds: $(tail -1 $run/verify.log | cut -d';' -f1)"
press_the_button
sleep 0.3
release_the_button
wait_for 20 "the event" event_came override button
stop_the_gate
ctl verify
umount $run/gate
