# shellcheck shell=dash
# From the moment that a code appears on the camera until the relay's edge, by one clock: the kernel's. The machine is emulated, so
# the figure stands beside those of bare programs in the same machine, with the same camera settings and the same pictures: one that
# decodes each whole picture by ZBar, and one that has the lane's vision and nothing else of the lane. What the gate needs more than
# the latter is its eye's process, the decision, the journal and the wires.
. tests/lab/steps.sh
. tests/lab/edges.sh
times=${LAB_LATENCIES:-50}
[ "${LAB_LATENCIES:-}/$LAB_ACCEL" != /kvm ] || times=200

quantiles() { # of whole numbers, one a line
    sort -n "$1" | awk '{ v[NR] = $1 / 1000 } END { rank = int(NR * 0.99); if (rank < NR * 0.99) rank++
        printf "n %d, min %.1f, p50 %.1f, p99 %.1f, max %.1f ms", NR, v[1], v[int((NR + 1) / 2)], v[rank], v[NR] }'
}
p50_us() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
beside() { # $1: one, $2: another
    awk -v a="$(p50_us $run/"$1")" -v b="$(p50_us $run/"$2")" 'BEGIN { printf "%.1f ms more, %.2f times as long", (a - b) / 1000, a / b }'
}
pause_ms=300 # longer than a pulse and its gap
codes_appear() { # one after the other, each until what counts in the file $1 has come of it
    "$OUT/pass_often" $run/scene "$1" "$times" "$times" $run/people/passed $pause_ms || fail "a code came to nothing"
}
# From each code's appearance to what came of it. $1: the times of that, one a line; $2: where to
since_it_appeared() {
    awk -F'[= ]' 'FNR == 1 { file++ } file == 1 && /bytes=[1-9]/ { shown[++n] = $3 } file == 2 { print $1 - shown[++m] }' \
        $run/shown.log "$1" > "$2"
    [ "$(grep -c . "$2")" = "$times" ] || fail "$(grep -c . "$2") times in $2, not $times"
}
the_bare_program_reads() { # $1: where to, $2: by which eyes
    show_nothing
    : > $run/shown.log
    echo 0 > $run/reads
    : > $run/see.log
    awk -W interactive -v log_file=$run/see.log -v reads=$run/reads '{ print >> log_file; fflush(log_file) }
        / t_us=/ { print ++n > reads; close(reads) }' < $run/said &
    # shellcheck disable=SC2086 # none or one word
    "$OUT/see" "$camera" 600 1280 720 $2 > $run/said 2>&1 &
    bare=$!
    wait_for 30 "the bare program" grep -q ' 1280' $run/see.log
    codes_appear $run/reads
    kill $bare
    wait $bare 2> /dev/null || true
    sed -n 's/.*t_us=\([0-9]*\).*/\1/p' $run/see.log > $run/read
    since_it_appeared $run/read "$run/$1"
}

say "given a camera that looks at a gray wall, before which $times codes appear, one after the other"
given_wires
watch_the_kernel
relay=$(relay_number)
mkdir $run/people
mkfifo $run/said
given_a_camera
the_bare_program_reads zbar.log ''
say "    a bare program with ZBar, appearance to text: $(quantiles $run/zbar.log)"
the_bare_program_reads vision.log lane
say "    a bare program with the lane's vision, appearance to text: $(quantiles $run/vision.log)"

say "when they appear before the camera of a gate, and are the codes of people declared green"
show_nothing
camera_settings=$(settings_of_camera "$camera" 1280 720 "leave_ms = 20000;") # an emulated camera may miss a code for a while
given_a_broker
more_settings='antipassback = { seconds = 0; };'
given_a_gate 100 50
given_people "$times"
relay_is 0 || fail "the relay is on before anybody came"
: > $run/shown.log
follow_the_relay
codes_appear $run/rises
awk '$3 == 1 { print $1 }' $run/edges.log > $run/opened
since_it_appeared $run/opened $run/gate.log
stop_the_gate
ctl verify
say "    the gate, appearance to the relay's edge: $(quantiles $run/gate.log)"
say "    $(grep 'frame to relay' $run/qrgated.log | sed 's/^<[0-9]>/the gate itself says, /')"
[ "$(sort -n $run/gate.log | head -1)" -gt 0 ] || fail "the relay moved before the code appeared"
say "then each code moved the relay once; at the median that takes $(beside gate.log vision.log), than its vision alone, and that beside ZBar alone: $(beside vision.log zbar.log)"
