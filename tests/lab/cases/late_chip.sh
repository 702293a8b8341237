# shellcheck shell=dash
# init: systemd
# The chip with the relay's line appears late, as one behind a slow bus does: until then the unit is not ready and is tried again
# and again, without a limit; then it works without anybody's help.
. tests/lab/steps.sh
. tests/lab/edges.sh
. tests/lab/unit.sh
tries=6 # more than systemd's own limit of five in ten seconds
late=/sys/kernel/config/gpio-sim/late
tried() { [ "$(property NRestarts)" -ge $1 ]; }
take_the_chip_out() {
    systemctl stop $unit
    echo 0 > $late/live
    find $late -depth -type d -exec rmdir {} + 2> /dev/null || true
}

say "given a gate whose relay is on a chip that isn't there"
given_the_unit_at_work
systemctl stop $unit
unit_relay=LATE_RELAY
configure_the_gate 2000 # long enough to be seen by looking now and then
systemctl start --no-block $unit
wait_for 120 "$tries tries" tried $tries
say "then the unit is tried again, $(property NRestarts) times by now, is not ready, and says what it lacks:"
case $(property ActiveState) in activating | deactivating) ;; *) fail "the unit is $(property ActiveState)" ;; esac
log_says "line 'LATE_RELAY': no GPIO line bears this name" || fail "nothing about the line in the log"
say "    $(journalctl -q -o cat --after-cursor="$cursor" -u $unit | grep LATE_RELAY | tail -1)"

say "when the chip appears"
mkdir -p $late/bank0/line0
echo 1 > $late/bank0/num_lines
echo LATE_RELAY > $late/bank0/line0/name
echo 1 > $late/live
chgrp gpio /dev/gpiochip*
chmod 660 /dev/gpiochip*
given_a_running_gate
wires_of_late=/sys/devices/platform/$(cat $late/dev_name)/$(cat $late/bank0/chip_name)
press_the_button
sleep 0.2
release_the_button
wait_for 20 "the late relay" grep -q 1 "$wires_of_late/sim_gpio0/value"
wait_for 20 "the late relay to be off" grep -q 0 "$wires_of_late/sim_gpio0/value"
take_the_chip_out
say "then the unit is ready, and the button moves the relay"
