# shellcheck shell=dash
# init: systemd
# Memory runs out. In the machine: the kernel chooses the eye, the lane goes on. In the unit, whose limit is reached: the relay
# is off whatever the kernel ends, and the gate comes back as soon as there is room.
. tests/lab/steps.sh
. tests/lab/edges.sh
. tests/lab/unit.sh
eye_of_the_gate() { pgrep -P "$main" qrgated-eye; }
another_eye() { eye=$(eye_of_the_gate) && [ -n "$eye" ] && [ "$eye" != "$ended" ]; }
out_of_memory_kills() { dmesg | grep -c 'Out of memory: Killed process\|Memory cgroup out of memory: Killed process' || true; }
killed_for_memory() { [ "$(out_of_memory_kills)" -gt "$1" ]; }
group=/sys/fs/cgroup/$(systemctl show -p ControlGroup --value $unit)

say "given the unit at work, in mid-pulse"
given_the_unit_at_work 3000
wait_for 30 "the eye" eye_of_the_gate
ended=$(eye_of_the_gate)
group=/sys/fs/cgroup$(property ControlGroup)
say "    the unit uses $(($(cat "$group/memory.current") / 1024)) KiB of the $(($(cat "$group/memory.max") / 1024)) it may"
press_and_wait_for_the_relay

say "when the machine runs out of memory"
kills=$(out_of_memory_kills)
echo f > /proc/sysrq-trigger
wait_for 20 "the kernel to choose" killed_for_memory "$kills"
wait_for 60 "another eye" another_eye
say "then the kernel ends the eye: $(dmesg | grep -o 'Killed process [0-9]* ([a-z-]*)' | tail -1)"
[ "$(property MainPID)" = "$main" ] || fail "the lane was restarted for its eye"
wait_until_relay_is 0
width_ms=$(ms_between "$(last_edge 1)" "$(last_edge 0)")
[ $width_ms -ge 2500 ] || fail "the pulse was cut to $width_ms ms"
say "and the gate is the same process, its pulse was not cut: $width_ms ms"

say "when the unit's own limit is reached in mid-pulse"
press_and_wait_for_the_relay
dead=$main
kills=$(out_of_memory_kills)
systemctl set-property --runtime $unit MemoryMax=1M MemorySwapMax=0
wait_for 30 "the kernel to choose" killed_for_memory "$kills"
systemctl set-property --runtime $unit MemoryMax=256M # what was ended has left its memory
wait_until_relay_is 0
say "then the relay goes off, by $(last_edge_by 0), $(ms_between "$(last_edge 1)" "$(last_edge 0)") ms after it went on"
given_a_gate_that_answers() { main=$(property MainPID) && [ "$main" != 0 ] && [ "$(property ActiveState)" = active ]; }
wait_for 60 "the gate to be back" given_a_gate_that_answers
nothing_moved "when it came back"
press_and_wait_for_the_relay
wait_until_relay_is 0
unit_ctl verify
say "then the gate is there, the button opens, and the journal's chain holds"
