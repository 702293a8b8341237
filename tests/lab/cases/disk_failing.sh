# shellcheck shell=dash
# init: systemd
# The card with the journal fails, and the kernel makes its file system read-only, as it does with a worn one: nobody gets in by a
# code, for nothing may open that can't be recorded; the button opens, the gate says what is wrong; and what was promised is there
# after the repair.
. tests/lab/steps.sh
. tests/lab/edges.sh
. tests/lab/unit.sh
card='022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Khu 2, Phường Hà An, Quảng Yên, Quảng Ninh|01082022'
hold_a_card() {
    shown=$((${shown:-0} + 1))
    qrencode -8 -s 6 -o $lane_files/new.png "$card"
    chmod 644 $lane_files/new.png
    mv $lane_files/new.png "$lane_files/wall/$(printf 'failing%03d' $shown).png"
}

worn=$lane_files/worn
put_the_card_in() {
    mount -o loop,errors=remount-ro $worn $journal_folder
    chown qrgate:qrgate $journal_folder
}

say "given the unit at work with its journal on a card of its own, and somebody who has declared green"
systemctl stop $unit
truncate -s 32M $worn
mkfs.ext4 -q -F $worn
put_the_card_in
rm -f $lane_files/wall/*
given_the_unit_at_work
unit_ctl declare --subject cccd:022199012345 --status green > $run/declare.log
hold_a_card
wait_for 60 "the relay" relay_rose
wait_until_relay_is 0
risen=1

say "when the kernel finds an error in the journal's file system, and the guard presses the button"
echo 1 > "/sys/fs/ext4/$(basename "$(findmnt -n -o SOURCE $journal_folder)")/trigger_fs_error"
is_read_only() { ! touch $journal_folder/written; }
wait_for 10 "the read-only file system" is_read_only
press_and_wait_for_the_relay
wait_until_relay_is 0
say "then it opens"
say "when the card is held before the camera again"
hold_a_card
wait_for 60 "the alarm" log_says 'alarm: journal_failing begins'
[ "$(relay_risen)" = $risen ] || fail "the relay moved for a code that is in no journal"
press_and_wait_for_the_relay
wait_until_relay_is 0
say "then nobody gets in by it, an alarm begins, and the button opens"
[ "$(property NRestarts)" = 0 ] || fail "the gate was restarted"

say "when the file system is repaired, and the machine started again"
systemctl stop $unit
wait_for 10 "word of what is lost" log_says 'not recorded, and lost with this end: override button at'
umount $journal_folder
fsck.ext4 -p $worn > $run/fsck.log || [ $? -le 2 ] || fail "fsck: $(cat $run/fsck.log)"
put_the_card_in
rm -f $lane_files/wall/*
systemctl reset-failed $unit
systemctl start $unit
given_a_running_gate
unit_ctl verify
[ "$(events_of granted)" -ge 1 ] || fail "what was promised is gone"
risen=$(relay_risen)
press_and_wait_for_the_relay
unit_ctl events --limit 0 | sed 's/^/    /' | tail -8
say "then what no disk took is in the log, the one that was let in is in the journal, its chain holds, and the gate works as before"
systemctl stop $unit
umount $journal_folder
rm $worn
