# shellcheck shell=dash
# A camera's controls: left alone unless the configuration names them; set by name when the gate opens it, seen from outside; what it lacks is in the log and no more. And the
# exposure follows the code in view, as far as the camera's brightness goes, and comes back when nobody is there.
. tests/lab/steps.sh

card='022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Khu 2, Phường Hà An, Quảng Yên, Quảng Ninh|01082022'
control() { v4l2-ctl -d "$camera" --get-ctrl "$1" | cut -d' ' -f2; }
control_is() { [ "$(control "$1")" = "$2" ]; }
control_is_below() { [ "$(control "$1")" -lt "$2" ]; }
logged() { grep -q -- "$1" $run/qrgated.log; }

say "given a camera whose controls nobody touched"
given_wires
watch_the_wires
given_a_camera
given_a_broker
control_is contrast 128 || fail "contrast is $(control contrast)"
control_is brightness 128 || fail "brightness is $(control brightness)"

controls() { # those that a program can set
    v4l2-ctl -d "$camera" --list-ctrls | grep -v -E 'read-only|volatile|button' | sed 's/ flags=grabbed$//' # while it streams
}
show_the_card_until_pulse() {
    show "$card"
    wait_for 60 "the relay's pulse" pulses_are "$1"
}

say "when a gate whose configuration names none of them reads a code that is as bright as it can be"
v4l2-ctl -d "$camera" --set-ctrl brightness=140,contrast=120
controls > $run/controls_before.log
given_a_gate
ctl declare --subject cccd:022199012345 --status green
show_the_card_until_pulse 1
sleep 2 # a code in view is metered at each picture, ten a second at least
controls > $run/controls_after.log
diff $run/controls_before.log $run/controls_after.log || fail "a gate that was not asked to touched its camera's controls"
stop_the_gate
show_nothing
say "then each is as somebody left it ($(grep -c . $run/controls_before.log) controls)"
v4l2-ctl -d "$camera" --set-ctrl brightness=128,contrast=128

say "when a gate opens it whose configuration names some controls, one of which this camera lacks"
camera_settings="${camera_settings%\}} exposure = \"code\"; controls = { contrast = 140; zoom_and_wash = 1; hue = -20; saturation = 999;
           boolean = 0; menu = 4; }; }"
given_a_gate
say "then they are set, and the log says which are not, and why"
control_is contrast 140 || fail "contrast is $(control contrast)"
control_is hue -20 || fail "hue is $(control hue)"
control_is boolean 0 || fail "the switch is $(control boolean)" # of the kind that "dynamic frame rate" is
control_is menu 4 || fail "the choice is $(control menu)" # of the kind that exposure's way and the mains' frequency are
logged 'eye: .*control zoom_and_wash: this camera has none of that name' || fail "nothing about zoom_and_wash in the log"
logged 'control saturation = 999: this camera allows 0 to 255' || fail "nothing about saturation in the log"
control_is brightness 128 || fail "brightness was touched with nobody there: $(control brightness)"

say "when somebody shows a code that is as bright as it can be"
show_the_card_until_pulse 2
wait_for 60 "a lower brightness" control_is_below brightness 128
say "then it is read, and the brightness goes down, to $(control brightness) by now"

say "when the code is gone"
show_nothing
wait_for 60 "the brightness as it was" control_is brightness 128
say "then the brightness is as it was"
stop_the_gate
