# shellcheck shell=dash
# How long the pulses of relay, buzzer and lamp really are, by the kernel's clock, and that each press gives one and only one. The
# emulated machine stumbles now and then, so the figures are printed and only what no machine may do is refused.
. tests/lab/steps.sh
. tests/lab/edges.sh
pulse_ms=100 tone_ms=90 lamp_ms=150
presses=${LAB_PULSES:-200}
[ "${LAB_PULSES:-}/$LAB_ACCEL" != /kvm ] || presses=500
late_ms=1000

# $1: the wire's name, $2: its number, $3: how long its pulse should be, $4: how many there are at least. A light that goes off late
# is not dark before the next press.
measure() {
    edges_of "$2" > $run/edges.log
    awk '$3 == 1 { on = $1 } $3 == 0 { print $1 - on - 1000 * '"$3"' }' $run/edges.log | sort -n > "$run/$1_errors.log"
    awk -v name="$1" -v should="$3" '{ error[NR] = $1 / 1000; } END {
        rank = int(NR * 0.99); if (rank < NR * 0.99) rank++
        half = int((NR + 1) / 2)
        printf "    error of the %s\047s pulses of %d ms (%d pulses), in ms: min %.2f, p50 %.2f, p99 %.2f, max %.2f\n",
            name, should, NR, error[1], error[half], error[rank], error[NR] }' "$run/$1_errors.log"
    count=$(grep -c . "$run/$1_errors.log")
    [ "$count" -le "$presses" ] && [ "$count" -ge "$4" ] || fail "$count pulses of the $1 came of $presses presses"
    [ "$(tail -1 "$run/$1_errors.log")" -lt $((late_ms * 1000)) ] || fail "a pulse of the $1 was too long"
    [ "$(head -1 "$run/$1_errors.log")" -ge -$(($3 * 500)) ] || fail "a pulse of the $1 was only half as long as it should be"
}

say "given a gate at work, with pulses of $pulse_ms ms, and a tone and a light as short"
given_wires
watch_the_kernel
echo 8192 > $tracing/buffer_size_kb # a long run's record
relay=$(relay_number)
given_no_camera
given_a_broker
more_settings="signals = { open = { tone_on_ms = $tone_ms; repeats = 1; lamp = \"green\"; lamp_ms = $lamp_ms; }; };"
given_a_gate $pulse_ms 50
[ "$(relay_risen)" = 0 ] || fail "the relay moved before the first press"
echo > $tracing/trace # the light has told of much by now

say "when the guard presses the button $presses times"
"$OUT/press_often" $wires/sim_gpio5/pull $wires/sim_gpio0/value "$presses"
sleep 1
stop_the_gate

say "then each gives as many pulses, and none is longer than $late_ms ms more than it should be"
measure relay "$relay" $pulse_ms "$presses"
measure buzzer $((relay + 1)) $tone_ms $((presses * 9 / 10))
measure lamp $((relay + 2)) $lamp_ms $((presses * 9 / 10))
ctl verify
