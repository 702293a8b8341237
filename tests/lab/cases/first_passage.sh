# shellcheck shell=dash
# The first morning of a gate: two people show their cards, the guard presses the button. Everything is real but the
# metal: the camera is seen through V4L2, the wires are the kernel's GPIO, the events go through a broker.
. tests/lab/steps.sh

green_card='022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Khu 2, Phường Hà An, Quảng Yên, Quảng Ninh|01082022'
red_card='022099054321||Đoàn Văn Thử|30121999|Nam|Thôn Một, Xã Hai, Quảng Ninh|01082024||||'

say "given a camera that looks at a gray wall, a chip with the lane's wires, and a broker with a subscriber"
given_wires
watch_the_wires
given_a_camera
given_a_broker

say "given a gate, and two people who have declared: one green, one red"
given_a_gate
ctl declare --subject cccd:022199012345 --status green
ctl declare --subject cccd:022099054321 --status red
relay_is 0 || fail "the relay is on before anybody came"

say "when the green person holds her card before the camera"
show "$green_card"
wait_for 60 "the relay's pulse" pulses_are 1
wait_for 20 "the event" event_came granted status_green
say "then the relay gives one pulse, of $(last_pulse_ms) ms, and the subscriber hears: granted"
last_pulse_lasts_ms 200 1000 # 300 are configured; who looks may be late at either end

say "when the card stays there, and then goes away"
sleep 2
show_nothing
sleep 3
pulses_are 1 || fail "one showing of a card gave $(relay_pulses) pulses"
say "then nothing more happens"

say "when the red person holds his card before the camera"
show "$red_card"
wait_for 60 "the event" event_came denied status_red
sleep 2
pulses_are 1 || fail "the relay moved for a red declaration"
say "then the subscriber hears: denied, and the relay stays still"
show_nothing

say "when the guard presses the button"
press_the_button
sleep 0.3 # a finger's time: three seconds would hold the gate open
release_the_button
wait_for 20 "the relay's second pulse" pulses_are 2
wait_for 20 "the event" event_came override button
say "then the relay gives one pulse, of $(last_pulse_ms) ms, and the subscriber hears: override"
last_pulse_lasts_ms 200 1000 # 300 are configured; who looks may be late at either end
sleep 1
pulses_are 2 || fail "one press gave more than one pulse"

say "when the gate is told to stop"
stop_the_gate
say "then it ends cleanly, every wire is off, and the journal's chain of hashes holds"
for offset in 0 1 2 3 4; do
    [ "$(cat "$wires/sim_gpio$offset/value")" = 0 ] || fail "wire $offset was left on"
done
pulses_are 2 || fail "the relay moved while the gate stopped"
ctl verify
names_are_secret "$run/events.log"
