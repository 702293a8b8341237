# shellcheck shell=dash
# Whatever comes in by the wires: a button that bounces, the arm's sensor, fire, the cabinet's contact, a technician's key. The
# events that it makes are those of inputs.events, on Debian 12's libgpiod 1.6 as on Debian 13's 2.
. tests/lab/steps.sh
. tests/lab/edges.sh

more_lines='rotation = { line = "QRG_ROTATION"; active_low = false; bias = "pull-down"; };
  fire = { line = "QRG_FIRE"; active_low = false; bias = "as-is"; }; # the simulated chip has one pull a line, which here is the contact
  tamper = { line = "QRG_TAMPER"; active_low = false; bias = "pull-down"; };
  service = { line = "QRG_SERVICE"; active_low = false; bias = "pull-down"; };'
# The emulated machine takes its time, and its contacts bounce for longer than they should: usually 30 ms are waited out.
more_timing="passage_wait_ms = 40000; held_alarm_ms = 60000; tailgating_ms = 0; debounce_ms = $((30 * slower));"
bounces() { # input, flips, last level, and how many ms until it bounces back; 1 kHz: two flips a millisecond
    "$OUT/bounce" "$(pull_of "$1")" "$2" 500 "$3" ${4:+"$4"} > $run/bounce.log
}
rises_are() { [ "$(relay_risen)" -ge "$1" ]; }
# What the subscriber heard, one line an event: kind, reason, alarm, without times and ids, and without the camera, which may
# be late on a busy machine.
keep_the_events() {
    grep -E '^qrgate/lab/lane1/(passage|alarm) ' $run/events.log | sed 's/^[^ ]* //' | /usr/bin/python3 -c '
import json, sys
for line in sys.stdin:
    e = json.loads(line)
    if e.get("alarm") not in ("camera_lost", "out_of_order"):
        print(e["kind"], e.get("reason", "-"), e.get("alarm", "-"))
' > $run/events.txt
}
event_count_is() { keep_the_events; [ "$(grep -c . $run/events.txt)" -ge "$1" ]; }
heard() { # $1: how many events there are then, $2: the last one
    wait_for 30 "event $1: $2" event_count_is "$1"
    sed -n "$1p" $run/events.txt | grep -q -- "$2" || fail "event $1 is '$(sed -n "$1p" $run/events.txt)', not '$2'"
}

say "given a gate with a sensor of the arm, contacts of fire and cabinet, and a technician's key"
given_wires
watch_the_kernel
relay=$(relay_number)
watch_the_wires
given_no_camera
given_a_broker
given_a_gate 300 100
heard 1 'start'

say "when the button is hit for 15 ms only, bouncing at 1 kHz"
bounces button 30 0
sleep 1
[ "$(relay_risen)" = 0 ] || fail "a hit of 15 ms opened"
say "then nothing happens"

say "when the guard presses it, and its contact bounces for 40 ms at both ends"
bounces button 81 1 400
heard 2 'override button'
sleep 1
[ "$(relay_risen)" = 1 ] || fail "one press gave $(relay_risen) pulses"
say "then there is one pulse and one event: override"

say "when the arm turns, and rests again"
bounces rotation 41 1 500
heard 3 'completed'
say "then the passage is completed"

say "when the arm turns again, with nobody let in"
activate rotation
heard 4 'alarm_begin - forced'
release rotation
heard 5 'alarm_end - forced'
say "then an alarm begins and ends: forced"

say "when the cabinet is opened, and shut"
activate tamper
heard 6 'alarm_begin - tamper'
release tamper
heard 7 'alarm_end - tamper'
say "then an alarm begins and ends: tamper"

say "when the main loop stands still while the guard lets go of the button, bouncing more often than the kernel counts"
"$OUT/hold_thread" "$gate" 20 $wires/sim_gpio0/value > $run/hold.log & # at the moment when the relay is on
holder=$!
press_the_button
wait_for 10 "the main loop to be held" grep -q held $run/hold.log
bounces button 60 0
kill $holder
wait $holder
heard 8 'override button'
sleep $((long_press_ms / 1000 + 2))
said '"alarm":"hold_open"' && fail "the gate held open for a button that nobody pressed"
say "then the press has ended for the gate as well: a long one would have held it open"
activate rotation
sleep 0.3
release rotation
heard 9 'completed'

say "when there is fire"
activate fire
wait_until_relay_is 1
heard 10 'alarm_begin - emergency'
release fire
sleep 1
relay_is 1 || fail "the arm locked before the technician's reset"
say "then the arm is free, also when the fire is over"
say "when the technician turns the key, and back"
activate service
wait_until_relay_is 0
heard 11 'alarm_end - emergency'
release service
say "then it locks"
keep_the_events
stop_the_gate
cp $run/events.txt $run/inputs_events.log
ctl verify
diff tests/lab/cases/inputs.events $run/events.txt || fail "other events than in inputs.events"
say "and the events are those of inputs.events, by $(pkg-config --modversion libgpiod | sed 's/^/libgpiod /')"
