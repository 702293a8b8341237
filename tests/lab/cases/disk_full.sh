# shellcheck shell=dash
# init: systemd
# The journal's disk is full: nobody gets in by a code, for nothing may open that can't be recorded; the guard's button opens; the
# gate says so, and records the presses when there is room again.
. tests/lab/steps.sh
. tests/lab/edges.sh
. tests/lab/unit.sh
card='022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Khu 2, Phường Hà An, Quảng Yên, Quảng Ninh|01082022'
hold_a_card() { # before the camera, which takes pictures as they come
    shown=$((${shown:-0} + 1))
    qrencode -8 -s 6 -o $lane_files/new.png "$card"
    chmod 644 $lane_files/new.png
    mv $lane_files/new.png "$lane_files/wall/$(printf '%03d' $shown).png"
}
granted() { [ "$(events_of granted)" -ge "$1" ]; }
fill_the_disk() {
    dd if=/dev/zero of=$journal_folder/filler bs=64k 2> /dev/null || true
    dd if=/dev/zero of=$journal_folder/filler2 bs=512 2> /dev/null || true
}
kept_room() { df -k --output=avail $journal_folder | tail -1; }

say "given the unit at work, and somebody who has declared green"
rm -f $lane_files/wall/*
given_the_unit_at_work
unit_ctl declare --subject cccd:022199012345 --status green > $run/declare.log
hold_a_card
wait_for 60 "the relay" relay_rose
wait_until_relay_is 0
risen=1
wait_for 20 "the event" granted 1
say "then the card opens"

say "when the disk is full, and the guard presses the button"
fill_the_disk
say "    $(kept_room) KiB are free"
press_and_wait_for_the_relay
wait_until_relay_is 0
say "then it opens"
say "when the card is held before the camera until the journal can't take it"
for n in $(seq 40); do
    log_says 'alarm: journal_failing begins\|alarm: journal_full begins' && break
    press_and_wait_for_the_relay
    wait_until_relay_is 0
done
say "    after $n more presses the log says: $(journalctl -q -o cat --after-cursor="$cursor" -u $unit | grep 'alarm: journal' | tail -1 | sed 's/^<[0-9]>//')"
presses=$((risen - 1))
before=$risen
hold_a_card
sleep 6
failing=no
! log_says 'alarm: journal_failing begins' || failing=yes
risen=$(relay_risen)
granted_now=$(events_of granted)
[ $((risen - before)) -le $((granted_now - 1)) ] || fail "the relay moved for a code that is in no journal"
say "then nothing opens that isn't recorded (journal failing: $failing; recorded: $granted_now)"

say "when there is room again"
rm -f $journal_folder/filler $journal_folder/filler2
wait_for 60 "the presses to be recorded" overrides_are $presses
say "then all $presses presses are in the journal"
sleep 2
before=$(relay_risen)
hold_a_card
risen=$before
wait_for 60 "the relay" relay_rose
unit_ctl verify
say "and the card opens as before, and the journal's chain holds"
