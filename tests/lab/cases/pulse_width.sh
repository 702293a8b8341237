# shellcheck shell=dash
# How long the relay's pulses really are, by the kernel's clock, and that each press gives one and only one. The emulated
# machine stumbles now and then, so the figures are printed and only what no machine may do is refused.
. tests/lab/steps.sh
. tests/lab/edges.sh
pulse_ms=100
presses=${LAB_PULSES:-60}
late_ms=1000

say "given a gate at work, with pulses of $pulse_ms ms"
given_wires
watch_the_kernel
relay=$(relay_number)
given_no_camera
given_a_broker
given_a_gate $pulse_ms 50
[ "$(relay_risen)" = 0 ] || fail "the relay moved before the first press"

say "when the guard presses the button $presses times"
"$OUT/press_often" $wires/sim_gpio5/pull $wires/sim_gpio0/value $presses
sleep 1
stop_the_gate
relay_edges > $run/edges.log

say "then the relay gives as many pulses, and none is longer than $late_ms ms more than it should be"
awk '$3 == 1 { on = $1 } $3 == 0 { print $1 - on - 1000 * '$pulse_ms' }' $run/edges.log | sort -n > $run/errors.log
[ "$(grep -c . $run/errors.log)" = $presses ] || fail "$(grep -c . $run/errors.log) pulses came of $presses presses"
awk '{ error[NR] = $1 / 1000; } END {
    rank = int(NR * 0.99); if (rank < NR * 0.99) rank++
    half = int((NR + 1) / 2)
    printf "    error of the pulse width in ms (%d pulses): min %.2f, p50 %.2f, p99 %.2f, max %.2f\n",
        NR, error[1], error[half], error[rank], error[NR] }' $run/errors.log
[ "$(tail -1 $run/errors.log)" -lt $((late_ms * 1000)) ] || fail "a pulse was too long"
[ "$(head -1 $run/errors.log)" -ge -$((pulse_ms * 500)) ] || fail "a pulse was only half as long as it should be"
ctl verify
