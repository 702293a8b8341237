# shellcheck shell=dash
# A camera's driver that doesn't come back, as after a fault of the USB: its caller, the eye, can't be ended, not even by SIGKILL,
# until the driver returns. Only the camera is lost by that: the guard's button opens all the time, and afterwards codes do.
# (The old freezer of control groups holds a process just so.)
. tests/lab/steps.sh
freezer=/run/freezer

eye_is_frozen() { [ "$(cat $freezer/eye/freezer.state)" = FROZEN ]; }
another_eye() { eye=$(pgrep -P "$gate" qrgated-eye) && [ "$eye" != "$stuck" ]; }
the_button_opens() {
    press_the_button
    sleep 0.3
    release_the_button
    wait_for 5 "the relay's pulse ($1)" pulses_are "$2"
}

say "given a gate at work"
given_wires
watch_the_wires
given_no_camera
camera_settings=$(echo "$camera_settings" | sed 's/hang_ms = [0-9]*/hang_ms = 3000/')
given_a_broker
given_a_gate
stuck=$(pgrep -P "$gate" qrgated-eye)

say "when a call of the eye's doesn't come back"
mkdir -p $freezer
mount -t cgroup -o freezer freezer $freezer
mkdir -p $freezer/eye
trap 'echo THAWED > $freezer/eye/freezer.state; rmdir $freezer/eye; umount $freezer' EXIT
echo "$stuck" > $freezer/eye/cgroup.procs
echo FROZEN > $freezer/eye/freezer.state
wait_for 5 "the eye to be stuck" eye_is_frozen
the_button_opens "at once" 1
wait_for 30 "the gate's word" logged 'eye: silent for 3000 ms'
the_button_opens "once the eye should have ended" 2
wait_for 30 "the alarm" said '"kind":"alarm_begin".*"alarm":"camera_lost"'
wait_for 30 "the reason" logged "can't be ended: its driver does not come back"
the_button_opens "a while later" 3
kill -0 "$stuck" || fail "the eye was not stuck"
say "then the gate says that its camera is lost, and the button opens all the time"

say "when the call comes back"
echo THAWED > $freezer/eye/freezer.state
wait_for 30 "another eye" another_eye
wait_for 60 "the alarm's end" said '"kind":"alarm_end".*"alarm":"camera_lost"'
say "then another eye looks, and the gate is the same process"
stop_the_gate
ctl verify
