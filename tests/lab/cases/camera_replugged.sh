# shellcheck shell=dash
# Somebody pulls the camera out and plugs it in again, many times: each time it is used again soon, by its stable path, and the
# gate is the same process with no more descriptors, memory and threads than at first.
. tests/lab/steps.sh
times=${LAB_REPLUGS:-10}
late_ms=10000 # an emulated machine on a busy host; the gate itself tries each second at the latest

card='022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Khu 2, Phường Hà An, Quảng Yên, Quảng Ninh|01082022'
opened() { grep -c 'camera: opened' $run/qrgated.log || true; }
opened_again() { [ "$(opened)" -gt "$1" ]; }
lost_again() { [ "$(grep -c 'camera lost' $run/qrgated.log || true)" -gt "$1" ]; }
now_ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }
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
ctl declare --subject cccd:022199012345 --status green
before=$(descriptors)

say "when the camera is pulled out and plugged in $times times"
for n in $(seq "$times"); do
    had=$(opened) lost=$(grep -c 'camera lost' $run/qrgated.log || true)
    pull_the_camera_out
    wait_for 30 "the gate to miss its camera" lost_again "$lost"
    rm $by_path
    sleep 0.$n # somewhere in the gate's pause between two tries
    echo vivid.0 > /sys/bus/platform/drivers/vivid/bind
    find_vivid 0
    ln -s "$camera" $by_path
    plugged_ms=$(now_ms)
    wait_for 60 "the camera to be used again" opened_again "$had"
    echo $(($(now_ms) - plugged_ms)) >> $run/back.log
    kill $feeder 2> /dev/null || true
done
sort -n $run/back.log | awk '{ ms[NR] = $1 } END {
    printf "    from plug-in to an open camera, in ms, %d times: min %d, p50 %d, max %d\n", NR, ms[1], ms[int((NR + 1) / 2)], ms[NR] }'
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
