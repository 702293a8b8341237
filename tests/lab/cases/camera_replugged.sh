# shellcheck shell=dash
# Somebody pulls the camera out and plugs it in again, many times: each time its pictures come again soon, by its stable path, and
# the gate is the same process with no more descriptors, memory and threads than at first. The kernel tells when the gate's eye takes
# the first picture.
. tests/lab/steps.sh
. tests/lab/edges.sh
times=${LAB_REPLUGS:-10}
late_ms=10000 # an emulated machine on a busy host; the gate itself tries each second at the latest

card='022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Khu 2, Phường Hà An, Quảng Yên, Quảng Ninh|01082022'
watch_the_pictures() {
    echo mono > $tracing/trace_clock
    echo 'comm == "qrgated-eye"' > $tracing/events/v4l2/v4l2_dqbuf/filter
    echo 1 > $tracing/events/v4l2/v4l2_dqbuf/enable
    echo 1 > $tracing/tracing_on
}
a_picture_came() { grep -q v4l2_dqbuf: $tracing/trace; }
first_picture_ms() { # after the plug-in
    kernel_saw | awk '$3 == "tracing_mark_write:" && $4 == "plugged_in" { from = $1 }
        $3 == "v4l2_dqbuf:" && from { printf "%d\n", ($1 - from) / 1000; exit }'
}
lost_again() { [ "$(grep -c 'camera lost' $run/qrgated.log || true)" -gt "$1" ]; }
descriptors() { find "/proc/$gate/fd" -mindepth 1 | wc -l; }

say "given a gate that knows its camera by the place where it is plugged in"
given_wires
watch_the_wires
given_a_camera
by_path=$run/by-path/platform-vivid.0-video-index0
mkdir -p $run/by-path
ln -s "$camera" $by_path # as udev makes it; here there is no udev
camera_settings=$(settings_of_camera $by_path)
given_a_broker
given_a_gate
watch_the_pictures
wait_for 20 "the kernel's word of a picture" a_picture_came
ctl declare --subject cccd:022199012345 --status green
before=$(descriptors)

say "when the camera is pulled out and plugged in $times times"
for n in $(seq "$times"); do
    lost=$(grep -c 'camera lost' $run/qrgated.log || true)
    pull_the_camera_out
    wait_for 30 "the gate to miss its camera" lost_again "$lost"
    rm $by_path
    sleep 0.$n # somewhere in the gate's pause between two tries
    echo > $tracing/trace
    echo vivid.0 > /sys/bus/platform/drivers/vivid/bind
    mark plugged_in
    find_vivid 0
    ln -s "$camera" $by_path
    wait_for 60 "the first picture" a_picture_came
    first_picture_ms >> $run/back.log
done
sort -n $run/back.log | awk '{ ms[NR] = $1 } END {
    printf "    from plug-in to the first picture that the eye has, in ms, %d times: min %d, p50 %d, max %d\n", NR, ms[1], ms[int((NR + 1) / 2)], ms[NR] }'
[ "$(grep -c . $run/back.log)" = "$times" ] || fail "not $times first pictures"
[ "$(sort -n $run/back.log | tail -1)" -le $late_ms ] || fail "a camera was back only after $(sort -n $run/back.log | tail -1) ms"

say "then it is still the same process, with as many descriptors, and it reads and opens"
kill -0 "$gate" || fail "the gate ended"
after=$(descriptors)
[ "$after" -le $((before + 1)) ] || fail "$before descriptors became $after"
feed_the_camera
show "$card"
wait_for 60 "the relay's pulse" pulses_are 1
stop_the_gate
ctl verify
