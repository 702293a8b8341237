# shellcheck shell=dash
# A camera of each format that the gate takes without a conversion, in the two usual sizes: a card held before it is read, its
# Vietnamese letters whole. And a camera that sends what a cheap one sends now and then, a torn JPEG, is read on.
. tests/lab/steps.sh

card='022068520528|191321738|Bùi Đình Trang|10041968|Nam|Khu 7, Phường Yên Giang, Quảng Yên, Quảng Ninh|06122022'

say "given cameras of one format each, and a card held before them"
insert_module v4l2loopback devices=1 exclusive_caps=0 max_buffers=4
camera=/dev/$(basename /sys/devices/virtual/video4linux/video*)
wait_for 10 "the camera's device" test -e "$camera"
show "$card"
for format in YUYV MJPG NV12 GREY; do
    for size in "640 480" "1280 720"; do
        : > $run/shown.log
        # shellcheck disable=SC2086 # a size is two words
        show_frames "$camera" $format $size
        # shellcheck disable=SC2086
        "$OUT/see" "$camera" 30 $size > $run/see.log 2>&1 &
        eye=$!
        wait_for 30 "the card in $format, $size" grep -qF "$card" $run/see.log
        kill $eye $feeder
        wait $eye $feeder 2> /dev/null || true
        grep -q "^see: $camera (.*) $format ${size% *}x${size#* } " $run/see.log ||
            fail "opened as something else: $(head -1 $run/see.log)"
        say "    read: $(sed -n '1s/^see: [^ ]* //p' $run/see.log)"
    done
done

say "given one that sends JPEGs of which every second is torn"
: > $run/shown.log
"$OUT/show_frames" "$camera" MJPG 1280 720 $run/scene torn > $run/shown.log 2>&1 &
feeder=$!
wait_for 10 "the first picture to be shown" grep -q shown $run/shown.log
"$OUT/see" "$camera" 30 1280 720 > $run/see.log 2>&1 &
eye=$!
wait_for 30 "the card in whole pictures" grep -qF "$card" $run/see.log
kill -0 $eye || fail "who looks gave up: $(tail -1 $run/see.log)"
kill $eye $feeder
say "then the card is read in the others"
