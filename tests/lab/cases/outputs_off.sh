# shellcheck shell=dash
# init: systemd
# Outputs that can't be left on: the installed unit under a real systemd, on a chip that keeps an output's level when
# its owner dies, as a Raspberry Pi does. In the middle of a pulse the gate is killed (also when its configuration was broken,
# or names another relay by then), crashes, runs out of memory, is stopped, restarted and reloaded, its main loop hangs and its
# disk hangs. When is the relay off, and who did it?
. tests/lab/steps.sh
. tests/lab/edges.sh
. tests/lab/unit.sh
pulse_ms=4000 # so long that the middle is met on a busy host too
pulse_slack_ms=200 # the relay's guard and a slow emulator
death_goal_ms=1000 # of a real machine. An emulated one on a busy host may take as long more as it takes to run nothing four times

ends=0 ends_in_time=0
row() { printf '    %-20s %10s %12s %10s   %s\n' "$@" >> $run/table; }

# In mid-pulse, the gate's process ends: $1 what, $2 who has to switch the relay off (the gate's next start would do it
# too, but later), the rest the command that makes it end.
gate_ends() {
    event=$1 who=$2
    shift 2
    given_a_running_gate
    run_nothing
    press_and_wait_for_the_relay
    dead=$main
    mark "$event"
    "$@"
    wait_until_relay_is 0
    configure_the_gate $pulse_ms # where it was broken
    given_a_running_gate
    nothing_moved "when the gate started after: $event"
    end=$(death_of "$dead") off=$(last_edge 0)
    [ "$end" -gt 0 ] || fail "no end of process $dead was seen"
    after_end_ms=$(ms_between "$end" "$off")
    row "$event" "$(ms_between "$(last_mark "$event")" "$off")" "$after_end_ms" "$(ms_between "$(last_edge 1)" "$off")" \
        "$(last_edge_by 0)"
    ends=$((ends + 1))
    [ $after_end_ms -gt $death_goal_ms ] || ends_in_time=$((ends_in_time + 1))
    case ,$who, in
    *,"$(last_edge_by 0)",*) ;;
    *) fail "$event: the relay was switched off by $(last_edge_by 0), not by $who" ;;
    esac
    [ $after_end_ms -le $((death_goal_ms + 4 * nothing_ms)) ] || fail "$event: the relay was on $after_end_ms ms after the process's end"
}
# In mid-pulse, something hangs for a while: $1 what, $2 ms it may take after the pulse; the gate lives on.
pulse_ends() {
    off=$(last_edge 0)
    width_ms=$(ms_between "$(last_edge 1)" "$off")
    row "$1" "$(ms_between "$(last_mark "$1")" "$off")" - "$width_ms" "$(last_edge_by 0)"
    [ "$(property MainPID)" = "$main" ] || fail "$1: the gate did not live on"
    nothing_moved "after: $1"
    [ $width_ms -le $((pulse_ms + pulse_slack_ms)) ] || fail "$1: a pulse of $width_ms ms"
    [ $width_ms -ge $((pulse_ms - pulse_slack_ms)) ] || fail "$1: a pulse of only $width_ms ms"
}

kill_main() { kill "-$1" "$main"; }
kill_with_another_configuration() { # $1: what the file says then
    echo "$1" > /etc/qrgate/lane1.conf
    kill -KILL "$main"
}
run_out_of_memory() { # usually its eye goes first
    echo 0 > "/proc/$(pgrep -P "$main" qrgated-eye)/oom_score_adj"
    echo 1000 > "/proc/$main/oom_score_adj"
    echo f > /proc/sysrq-trigger
}
stop_until_the_watchdog_acts() {
    kill -STOP "$main"
    wait_for 30 "the watchdog" relay_is 0
}

nothing_ms=0
printf '[Service]\nType=oneshot\nExecStart=/bin/true\n' > /run/systemd/system/nothing.service
systemctl daemon-reload
run_nothing() { # as systemd runs the unit's helper after a death; the longest counts
    read -r from _ < /proc/uptime
    systemctl start nothing
    read -r to _ < /proc/uptime
    took_ms=$((($(echo "$to" | tr -d .) - $(echo "$from" | tr -d .)) * 10))
    [ $took_ms -le $nothing_ms ] || nothing_ms=$took_ms
}

say "given the unit at work, on a chip that keeps a dead owner's levels"
given_the_unit_at_work $pulse_ms
trap 'say "measured, in ms:"; cat $run/table; keep_the_log; kernel_saw > $run/kernel_saw.log' EXIT
sleep 2
nothing_moved "at the start"

row "what, in mid-pulse" "to off" "end to off" "relay on" "switched off by"

gate_ends "kill_-9" qrgate-safe kill_main KILL
gate_ends "kill_-9_broken_file" qrgate-safe kill_with_another_configuration 'relay = off'
gate_ends "kill_-9_other_relay" qrgate-safe kill_with_another_configuration \
    'site = "lab"; lane = "lane1"; lines = { driver = "gpiod"; relay = { line = "QRG_RELAY_OUT"; }; };
     journal = { path = "/no/such/journal.db"; };' # no gate starts with it, until it is mended
gate_ends "crash_(SIGABRT)" qrgate-safe kill_main ABRT
gate_ends "out_of_memory" qrgate-safe run_out_of_memory
wait_for 5 "systemd to know of the lack of memory" log_says 'killed by the OOM killer'
# The signal that ends it lets it go on as well: its own guard of the pulse may be quicker.
gate_ends "stopped_(watchdog)" qrgate-safe,relay-guard stop_until_the_watchdog_acts
wait_for 5 "word of the watchdog" log_says 'Watchdog timeout'
gate_ends "systemctl_restart" qrgated systemctl restart $unit
say "then, however the gate ended, the relay was off, $ends_in_time of $ends times within 1 s, and no start moved it (to run nothing took systemd $nothing_ms ms)"

event=systemctl_reload
press_and_wait_for_the_relay
configure_the_gate $((pulse_ms + 1))
mark $event
systemctl reload $unit
wait_until_relay_is 0
wait_for 5 "the reload" log_says 'the new configuration counts'
pulse_ends $event

event=main_loop_hangs
press_and_wait_for_the_relay
mark $event
"$OUT/hold_thread" "$main" 8 > $run/hold.log &
holder=$!
wait_until_relay_is 0
[ "$(last_edge_by 0)" = relay-guard ] || fail "the main loop did not hang"
kill $holder # the watchdog has more patience than that
wait $holder
pulse_ends $event

event=disk_hangs
press_and_wait_for_the_relay
mark $event
fsfreeze --freeze /var/lib/qrgate
frozen_s=$(uptime_s)
wait_until_relay_is 0
pulse_ends $event
event=press_meanwhile
mark $event
press_and_wait_for_the_relay
wait_until_relay_is 0
pulse_ends $event
while [ "$(uptime_s)" -lt $((frozen_s + 10)) ]; do sleep 0.5; done
fsfreeze --unfreeze /var/lib/qrgate
wait_for 30 "the presses to be recorded" overrides_are $risen
say "and while it lives, a pulse ends when it should, whatever hangs; and the button works while the disk hangs"

say "when the gate is told to stop"
dead=$main
systemctl stop $unit
nothing_moved "at the stop"
for offset in 0 1 2 3 4; do
    [ "$(cat "$wires/sim_gpio$offset/value")" = 0 ] || fail "wire $offset was left on"
done
unit_ctl verify || fail "the journal's chain does not hold"
say "then every wire is off, and the journal's chain of hashes holds"
