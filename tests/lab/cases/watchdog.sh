# shellcheck shell=dash
# init: systemd
# A thread of the gate that doesn't come back: the main loop, then the journal's. systemd's watchdog ends the gate and starts
# another, which opens again; a blocked eye is no such case, it is replaced while the gate goes on.
. tests/lab/steps.sh
. tests/lab/edges.sh
. tests/lab/unit.sh
thread_named() { # of the gate
    for task in /proc/"$main"/task/*; do
        [ "$(cat "$task/comm")" != "$1" ] || basename "$task"
    done
}
watchdog_kills() { [ "$(journalctl -q -o cat --after-cursor="$cursor" -u $unit | grep -c 'Watchdog timeout')" -ge "$1" ]; }
eye_of_the_gate() { pgrep -P "$main" qrgated-eye; }
another_eye() { eye=$(eye_of_the_gate) && [ -n "$eye" ] && [ "$eye" != "$blocked" ]; }

# $1: thread, $2: how many watchdog kills there are then
blocked_thread() {
    thread=$(thread_named "$1")
    [ -n "$thread" ] || fail "the gate has no thread $1: $(cat /proc/"$main"/task/*/comm | tr '\n' ' ')"
    dead=$main
    blocked_ms=$(cut -d' ' -f1 /proc/uptime | tr -d .)0
    "$OUT/hold_thread" "$thread" 60 > $run/hold.log 2>&1 &
    holder=$!
    wait_for 40 "the watchdog" watchdog_kills "$2"
    given_a_running_gate
    back_ms=$(cut -d' ' -f1 /proc/uptime | tr -d .)0
    kill $holder 2> /dev/null || true
    wait $holder 2> /dev/null || true
    say "then the watchdog ends the gate, and another is ready $((back_ms - blocked_ms)) ms after the block"
    press_and_wait_for_the_relay
    wait_until_relay_is 0
    say "and the button opens"
}

say "given the unit at work"
given_the_unit_at_work
wait_for 30 "the eye" eye_of_the_gate

say "when the eye is blocked"
blocked=$(eye_of_the_gate)
kill -STOP "$blocked"
press_and_wait_for_the_relay # at once
wait_until_relay_is 0
wait_for 60 "another eye" another_eye
[ "$(property MainPID)" = "$main" ] || fail "the lane was restarted for its eye"
say "then the button opens meanwhile, the eye is replaced, and the gate is the same process"

say "when the main loop is blocked"
blocked_thread qrgated 1
say "when the journal's thread is blocked"
blocked_thread journal 2
unit_ctl verify
