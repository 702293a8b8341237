# shellcheck shell=dash
# The drivers on real kernel interfaces, without the daemon: GPIO lines, and a code seen through the simulated camera.
. tests/lab/steps.sh

say "given a chip with the lane's twelve lines, and a second one with lines that must be refused"
given_wires
say "then the line driver keeps its contract"
QRG_TEST_GPIO=$wires "$OUT/test_lines" > $run/test_lines.log 2>&1 || fail "test_lines, see test_lines.log"
grep -q ' OK \] real_gpio_keeps_the_contract' $run/test_lines.log || fail "test_lines left the real lines out"
sed -n 's/^    /    refused: /p' $run/test_lines.log

say "given a camera that looks at a gray wall"
given_a_camera
"$OUT/see" "$camera" 25 > $run/see.log 2>&1 &
eye=$!
wait_for 10 "the camera" grep -q ' 1280' $run/see.log
say "when a card is held before it, then it is read, with letters of every kind"
card='022068520528|191321738|Bùi Đình Trang|10041968|Nam|Khu 7, Phường Yên Giang, Quảng Yên, Quảng Ninh|06122022'
show "$card"
wait_for 10 "the card to be read" grep -qF "$card" $run/see.log
show_nothing

say "when the camera is pulled out, then the driver says so instead of hanging"
pull_the_camera_out
status=0
wait "$eye" || status=$?
[ $status = 3 ] || fail "the camera's loss was not noticed: $status"
grep "^see:" $run/see.log
