# shellcheck shell=dash
# init: systemd
# The chip that carries the wires goes away while the gate is at work, as one on a cable does: the gate says so and ends instead of
# going on without wires; the unit tries again until the chip is back, and then works without anybody's help.
. tests/lab/steps.sh
. tests/lab/edges.sh
. tests/lab/unit.sh
extra=/sys/kernel/config/gpio-sim/extra
ends() { [ "$(property NRestarts)" -ge 1 ]; }
plug_the_chip_in() {
    mkdir -p $extra/bank0/line0
    echo 1 > $extra/bank0/num_lines
    echo EXTRA_RELAY > $extra/bank0/line0/name
    echo 1 > $extra/live
    chgrp gpio /dev/gpiochip*
    chmod 660 /dev/gpiochip*
    extra_relay=/sys/devices/platform/$(cat $extra/dev_name)/$(cat $extra/bank0/chip_name)/sim_gpio0/value
}
the_button_moves_it() {
    press_the_button
    sleep 0.2
    release_the_button
    wait_for 20 "the relay on the other chip" grep -q 1 "$extra_relay"
    wait_for 20 "it to be off" grep -q 0 "$extra_relay"
}

say "given a gate whose relay is on a chip of its own"
plug_the_chip_in
unit_relay=EXTRA_RELAY
given_the_unit_at_work 2000
the_button_moves_it

say "when that chip goes away"
echo 0 > $extra/live
wait_for 60 "the gate to end" ends
log_says 'lines: lost' || fail "nothing about it in the log"
say "then the gate ends, is tried again, and says: $(journalctl -q -o cat --after-cursor="$cursor" -u $unit | grep 'lines: lost' | head -1)"

say "when it comes back"
plug_the_chip_in
given_a_running_gate
the_button_moves_it
unit_ctl verify
say "then the gate works as before"
systemctl stop $unit
echo 0 > $extra/live
find $extra -depth -type d -exec rmdir {} + 2> /dev/null || true
