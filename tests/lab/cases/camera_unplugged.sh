# shellcheck shell=dash
# Somebody pulls out the camera: the gate says so, the guard's button works on, and a camera that comes back is used again.
. tests/lab/steps.sh

card='022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Khu 2, Phường Hà An, Quảng Yên, Quảng Ninh|01082022'

say "given a gate at work"
given_wires
watch_the_wires
given_a_camera
given_a_broker
given_a_gate
ctl declare --subject cccd:022199012345 --status green

say "when the camera is pulled out"
pull_the_camera_out
wait_for 30 "the alarm" said '"kind":"alarm_begin".*"alarm":"camera_lost"'
say "then the subscriber hears an alarm"

say "when the guard presses the button meanwhile"
press_the_button
sleep 0.3 # a finger's time: three seconds would hold the gate open
release_the_button
wait_for 20 "the relay's pulse" pulses_are 1
say "then the relay gives its pulse"

say "when the camera is plugged in again, and a green person comes"
plug_the_camera_in
wait_for 60 "the alarm's end" said '"kind":"alarm_end".*"alarm":"camera_lost"'
show "$card"
wait_for 60 "the relay's pulse" pulses_are 2
say "then the alarm ends, and the relay gives its pulse"
stop_the_gate
ctl verify
