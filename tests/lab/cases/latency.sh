# shellcheck shell=dash
# From the moment that a code appears on the camera until the relay's edge, by one clock: the kernel's. The machine is emulated, so
# the figure stands beside that of a bare program in the same machine that captures and decodes and does nothing else.
. tests/lab/steps.sh
. tests/lab/edges.sh
times=${LAB_LATENCIES:-20}

quantiles() { # of whole numbers, one a line
    sort -n "$1" | awk '{ v[NR] = $1 / 1000 } END { rank = int(NR * 0.99); if (rank < NR * 0.99) rank++
        printf "n %d, min %.1f, p50 %.1f, p99 %.1f, max %.1f ms", NR, v[1], v[int((NR + 1) / 2)], v[rank], v[NR] }'
}
p50_us() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

say "given a camera that looks at a gray wall, and a bare program that decodes what it shows"
given_wires
watch_the_kernel
relay=$(relay_number)
given_a_camera
"$OUT/see" "$camera" 600 > $run/see.log 2>&1 &
bare=$!
wait_for 30 "the bare program" grep -q ' 1280' $run/see.log
read_are() { [ "$(grep -c t_us= $run/see.log)" -ge "$1" ]; }
say "when $times codes appear before it, one after the other"
for n in $(seq "$times"); do
    show "$(card "$n")"
    wait_for 20 "code $n to be read" read_are "$n"
done
kill $bare
wait $bare 2> /dev/null || true
awk -F'[= ]' 'FNR == 1 { file++ } file == 1 && /bytes=[1-9]/ { shown[++n] = $3 } file == 2 && /t_us=/ { print $3 - shown[++m] }' \
    $run/shown.log $run/see.log > $run/bare.log
say "    the bare program, appearance to text: $(quantiles $run/bare.log)"

say "given a gate, and the same codes' people declared green"
show_nothing
camera_settings=$(settings_of_camera "$camera" 1280 720 "leave_ms = 20000;") # an emulated camera may miss a code for a while
given_a_broker
more_settings='antipassback = { seconds = 0; };'
given_a_gate 100 50
given_people "$times"
relay_is 0 || fail "the relay is on before anybody came"
: > $run/shown.log
echo > $tracing/trace
risen_are() { [ "$(relay_risen)" -ge "$1" ]; }
say "when they appear before its camera, one after the other"
for n in $(seq "$times"); do
    show "$(card "$n")"
    wait_for 30 "the relay for code $n" risen_are "$n"
    wait_until_relay_is 0
done
relay_edges > $run/edges.log
awk -F'[= ]' 'FNR == 1 { file++ } file == 1 && /bytes=[1-9]/ { shown[++n] = $3 } file == 2 && $3 == 1 { print $1 - shown[++m] }' \
    $run/shown.log $run/edges.log > $run/gate.log
stop_the_gate
ctl verify
say "    the gate, appearance to the relay's edge: $(quantiles $run/gate.log)"
say "    $(grep 'frame to relay' $run/qrgated.log | sed 's/^<[0-9]>/the gate itself says, /')"
[ "$(grep -c . $run/gate.log)" = "$times" ] && [ "$(grep -c . $run/bare.log)" = "$times" ] || fail "not $times of each"
[ "$(sort -n $run/gate.log | head -1)" -gt 0 ] || fail "the relay moved before the code appeared"
say "then each code moved the relay once; at the median the gate needs $(($(p50_us $run/gate.log) / 1000)) ms, the bare program, which decodes every picture whole, $(($(p50_us $run/bare.log) / 1000)) ms"
