# shellcheck shell=dash
# init: systemd
# A cold boot of a lane's machine as a Raspberry Pi has it: no network yet, no battery for the clock, a root that is read-only.
# The gate is ready before all that, and what happened meanwhile reaches the broker when the network comes. (The machine is
# laid out by systemd_machine.sh; this has to be its first story.)
. tests/lab/steps.sh
. tests/lab/edges.sh
. tests/lab/unit.sh
wires=$wires/$(cat /sys/kernel/config/gpio-sim/lab/bank0/chip_name)
relay=$(relay_number)
watch_the_unit
seconds_of() { systemctl show -p "$1" --value "$2" | awk '{ printf "%.1f", $1 / 1000000 }'; }
heard_overrides() { [ "$(grep -c '"kind":"override"' $run/events.log)" -ge "$1" ]; }

say "given a machine that has just booted, by a clock that nobody has set ($(date -u +%Y)), with no network, and / read-only"
! touch /usr/written 2> /dev/null || fail "the root can be written"
! ip -4 addr show | grep -q "$network" || fail "the network is there"

say "when nobody does anything"
given_a_running_gate
[ "$(property NRestarts)" = 0 ] || fail "the gate did not come up at once"
nothing_moved "from boot to now"
say "then the gate is ready $(seconds_of ActiveEnterTimestampMonotonic $unit) s after the kernel's start, its exec was at $(seconds_of ExecMainStartTimestampMonotonic $unit) s, and the relay did not move"

say "when the guard presses the button"
press_and_wait_for_the_relay
wait_until_relay_is 0
say "then the gate opens"

say "when the network comes, and with it the way to the broker, to whom somebody listens already"
printf 'listener 1883 0.0.0.0\nallow_anonymous true\nuser root\n' > $run/mosquitto.conf
mosquitto -c $run/mosquitto.conf > $run/broker.log 2>&1 &
wait_for 20 "the broker" mosquitto_pub -h 127.0.0.1 -t lab -n
mosquitto_sub -h 127.0.0.1 -t '#' -F '%t %p' >> $run/events.log &
is_listening() { mosquitto_pub -h 127.0.0.1 -t lab -m listening && grep -q listening $run/events.log; }
wait_for 20 "the subscriber" is_listening
ip addr add $network/32 dev lo
wait_for 60 "the press to be heard of" heard_overrides 1
say "then the subscriber hears of the press, as of something past: $(grep '"kind":"override"' $run/events.log | grep -o '"historical":true')"
press_and_wait_for_the_relay
wait_for 30 "the second press to be heard of" heard_overrides 2
grep '"kind":"override"' $run/events.log | tail -1 | grep -q '"clock_trusted":false' || fail "a clock that nobody set is trusted"
say "and of the next as of something that happens; each says that nobody has set the clock"
