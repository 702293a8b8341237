# shellcheck shell=dash
# init: systemd
# The clock is wrong by fifty years until the network sets it: pulses are as long as ever, also in the middle of the step, events
# keep their order, and what was written before the step says that its time can't be trusted.
. tests/lab/steps.sh
. tests/lab/edges.sh
. tests/lab/unit.sh
unit_clock=ntp
pulse_ms=2000
slack_ms=500
pulse_was() {
    width_ms=$(ms_between "$(last_edge 1)" "$(last_edge 0)")
    [ $width_ms -le $((pulse_ms + slack_ms)) ] && [ $width_ms -ge $((pulse_ms - slack_ms)) ] || fail "$1: a pulse of $width_ms ms"
}

say "given a gate that was started in January 1970"
date -s @100000 > $run/clock
given_the_unit_at_work $pulse_ms
press_and_wait_for_the_relay
wait_until_relay_is 0
pulse_was "in 1970"

say "when the clock is set to now in mid-pulse, and back, and again"
for to in @1796000000 @100500 @1796000100; do
    press_and_wait_for_the_relay
    date -s $to > $run/clock
    wait_until_relay_is 0
    pulse_was "set to $to"
    sleep 1
done
[ "$(property NRestarts)" = 0 ] || fail "the gate was restarted"
say "then each pulse has its length, and the gate goes on"
wait_for 30 "the presses to be recorded" overrides_are 4
unit_ctl events --limit 0 --json > $run/events.txt
cp $run/events.txt $run/events_of_the_steps.log
sed 's/.*"seq":\([0-9]*\).*/\1/' $run/events.txt > $run/order
sort -n -c $run/order || sort -n -r -c $run/order || fail "the events are out of order"
unit_ctl events --kind override | sed 's/^/    /'
unit_ctl verify
say "and the events are in the order in which they happened"
