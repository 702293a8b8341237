# shellcheck shell=dash
# The gate is killed in the middle of a pulse, and started again: no wire is left on, and nothing fires at the start.
. tests/lab/steps.sh

say "given a gate at work"
given_wires
watch_the_wires
given_a_camera
given_a_broker
given_a_gate

say "when it is killed in the middle of a pulse"
press_the_button
wait_for 20 "the relay" relay_is 1
kill -9 "$gate"
wait "$gate" 2> /dev/null || true
release_the_button
say "then the relay is off (here the kernel lets go; where it doesn't, the unit's ExecStopPost does)"
wait_for 5 "the relay to be off" relay_is 0
pulses_are 1 || fail "$(relay_pulses) pulses"

say "when it is started again"
before=$(times_switched_on)
given_a_gate
sleep 1
say "then nothing is switched on by that"
[ "$(times_switched_on)" = "$before" ] || fail "a wire was switched on at the start"

say "and the button opens as before, and the journal's chain holds across the crash"
press_the_button
wait_for 20 "the relay's pulse" pulses_are 2
wait_for 20 "the event" event_came override button
release_the_button
stop_the_gate
ctl verify
