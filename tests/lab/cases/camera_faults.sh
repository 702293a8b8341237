# shellcheck shell=dash
# A camera that is bad in every way its driver can be, injected by vivid: dropped and broken pictures, calls that fail, a
# stream that dies, a cable that is pulled, and one that just stops delivering. The gate says so, comes back by itself, and
# the guard's button works all the time.
. tests/lab/steps.sh

pulses=0 person=0
a_pulse_comes() {
    pulses=$((pulses + 1))
    wait_for 60 "the relay's pulse ($1)" pulses_are $pulses
}
the_button_opens() {
    press_the_button
    sleep 0.3
    release_the_button
    a_pulse_comes "button: $1"
}
a_card_opens() {
    person=$((person + 1)) # somebody else each time, who needn't wait until the card before has left the view
    show "$(card $person)"
    a_pulse_comes "card: $1"
    show_nothing
}
opened() { grep -c 'camera: opened' $run/qrgated.log || true; }
opened_again() { [ "$(opened)" -gt "$1" ]; }
was_lost() { [ "$(grep -c 'camera lost' $run/qrgated.log || true)" -gt "$1" ]; }
losses() { grep -c 'camera lost' $run/qrgated.log || true; }
# $1: control that injects it, $2: what it is
the_camera_dies_of() {
    lost=$(losses) had=$(opened)
    inject "$1"
    wait_for 30 "the loss by: $2" was_lost "$lost"
    say "    $2: $(grep 'camera: camera lost' $run/qrgated.log | tail -1 | sed 's/^<[0-9]>camera: //')"
    the_button_opens "$2"
}

say "given a gate at work"
given_wires
watch_the_wires
given_a_camera
camera_settings=$(settings_of_camera "$camera" 1280 720 "leave_ms = 20000;")
given_a_broker
v4l2-ctl -d "$camera" --list-ctrls > $run/controls.log
given_a_gate
given_people 12
a_card_opens "no fault"

say "when half of the pictures are dropped, then a card opens all the same"
inject percentage_of_dropped_buffers=50
a_card_opens "half are dropped"

say "when the camera stops delivering, then the gate says so"
the_camera_dies_of percentage_of_dropped_buffers=100 "stops delivering"
inject percentage_of_dropped_buffers=0
wait_for 60 "the camera to be used again" opened_again "$had"
a_card_opens "it delivers again"
say "and a card opens as soon as it delivers again"

say "when pictures come that the driver marks as broken, then a card opens all the same"
for n in 1 2 3 4 5; do inject inject_v4l2_buf_flag_error=$n; done
a_card_opens "broken pictures"

say "when the stream dies of a fatal error, then the gate says so and begins a new one"
the_camera_dies_of inject_fatal_streaming_error=1 "fatal error of the stream"
wait_for 60 "the camera to be used again" opened_again "$had"
feed_the_camera # it ended the output's stream as well
a_card_opens "after the fatal error"

for fault in reqbufs qbuf streamon; do
    say "when the driver fails a call, then the gate begins a new stream: $fault"
    had=$(opened)
    inject inject_vidioc_${fault}_error=1
    [ $fault = qbuf ] || kill -9 "$(pgrep -P "$gate" qrgated-eye)" # the others are called by a new eye
    wait_for 60 "the camera to be used again" opened_again "$had"
    a_card_opens "after $fault"
    say "    $(grep 'camera: camera' $run/qrgated.log | tail -1 | sed 's/^<[0-9]>camera: //')"
done

say "when the device is disconnected, then the gate says so"
the_camera_dies_of disconnect=1 "disconnected"
pull_the_camera_out
sleep 1
echo vivid.0 > /sys/bus/platform/drivers/vivid/bind
find_vivid 0
feed_the_camera
a_card_opens "after the disconnection"
say "and a new one in its place is used"
kill -0 "$gate" || fail "the gate ended"
stop_the_gate
ctl verify
