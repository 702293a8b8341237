# shellcheck shell=dash
# The gate ends in the middle of a pulse, once because it is told to and once because it is killed: no wire is left on, and
# nothing fires at the next start. With long pulses, so that their middle can be met.
. tests/lab/steps.sh
pulse_ms=$((2500 + 1500 * slower))

press_and_wait_for_the_relay() {
    press_the_button
    wait_until_relay_is 1
    release_the_button
    sleep 0.5
    before=$(times_opened_or_held)
}
# By the wires that tell of a passage: a slow machine's camera may come late, which red and buzzer tell.
times_opened_or_held() { grep -c -E ' (relay|green|amber) 1$' $run/wires.log || true; }
nothing_was_switched_on() { [ "$(times_opened_or_held)" = "$before" ] || fail "a wire was switched on $1"; }
a_pulse_was_cut_short() {
    wait_for 5 "the relay to be off" relay_is 0
    wait_for 5 "the watcher to see it" pulses_are "$1"
    [ "$(last_pulse_ms)" -lt $pulse_ms ] || fail "the pulse lasted $(last_pulse_ms) ms"
}

say "given a gate at work"
given_wires
watch_the_wires
given_no_camera
given_a_broker
given_a_gate $pulse_ms

say "when it is told to stop in the middle of a pulse"
press_and_wait_for_the_relay
stop_the_gate
a_pulse_was_cut_short 1
nothing_was_switched_on "while the gate stopped"
say "then the relay goes off, after $(last_pulse_ms) of $pulse_ms ms, and stays off"

say "when it is started again, and killed in the middle of a pulse"
given_a_gate $pulse_ms
nothing_was_switched_on "at the start"
press_and_wait_for_the_relay
kill -9 "$gate"
wait "$gate" 2> /dev/null || true
a_pulse_was_cut_short 2
say "then the relay goes off, after $(last_pulse_ms) of $pulse_ms ms"
say "    (this chip lets go of a dead program's line; where one doesn't, the unit's ExecStopPost does it)"
"${QRGATED%qrgated}qrgate-safe" --config $run/qrgate.conf || fail "qrgate-safe can't drive the lane's wires"
nothing_was_switched_on "by qrgate-safe"
relay_is 0 || fail "the relay is on after qrgate-safe"
say "and the unit's stop helper finds the same wires free and leaves them off"

say "when it is started again"
given_a_gate $pulse_ms
sleep 1
nothing_was_switched_on "at the start"
say "then nothing is switched on by that"

press_the_button
wait_until_relay_is 1
release_the_button # held for three seconds it would hold the gate open
wait_for 20 "the relay's pulse" pulses_are 3
wait_for 20 "the event" event_came override button
stop_the_gate
ctl verify
say "and the button opens as before, and the journal's chain holds across the crash"
