# shellcheck shell=dash
# Two cameras and a metadata node: each lane uses the one that stands in its configuration by a path that stays, and a node that
# carries no picture is refused with words that help.
. tests/lab/steps.sh

other='022099054321||Đoàn Văn Thử|30121999|Nam|Thôn Một, Xã Hai, Quảng Ninh|01082024||||'
sees() { grep -qF "$2" "$run/see$1.log"; }

say "given two cameras, the second of which has a metadata node too"
given_a_camera n_devs=2 num_inputs=1,1 input_types=0x3,0x3 num_outputs=1,1 output_types=0x1,0x1 \
    node_types=0x101,0x20101
mkdir -p $run/by-path
ln -s "$camera" $run/by-path/platform-first-video-index0
kill $feeder
find_vivid 1
prepare_vivid
ln -s "$camera" $run/by-path/platform-second-video-index0
ln -s "$metadata" $run/by-path/platform-second-video-index1
show "$other"
show_frames "$screen" GREY 1280 720

say "when a card is held before the second one only"
"$OUT/see" $run/by-path/platform-second-video-index0 30 > $run/see1.log 2>&1 &
second=$!
wait_for 30 "the card before the second camera" sees 1 "$other"
say "then who looks through its path sees the card: $(head -1 $run/see1.log)"
find_vivid 0
"$OUT/see" $run/by-path/platform-first-video-index0 4 > $run/see0.log 2>&1
! sees 0 "$other" || fail "the first camera shows what is held before the second"
say "and who looks through the first one's sees none"

say "when the second camera is in use already, then the gate names that"
given_wires
watch_the_wires
given_a_broker
camera_settings=$(settings_of_camera $run/by-path/platform-second-video-index0)
write_the_configuration
start_the_gate
wait_for 30 "the gate's word" logged 'another program has it: `fuser` with that path names it'
kill $second
wait $second 2> /dev/null || true
wait_for 60 "the gate to see" said '"camera":"ok"'
say "and takes it when the other program is gone"
stop_the_gate

say "when the metadata node stands in the configuration, then the gate refuses it"
camera_settings=$(settings_of_camera $run/by-path/platform-second-video-index1)
write_the_configuration
start_the_gate
wait_for 30 "the gate's word" logged 'a metadata node, not the picture; take the node that ends in video-index0'
say "    $(grep -m 1 'metadata node' $run/qrgated.log)"
say "when an output stands there, then as well"
stop_the_gate
camera_settings=$(settings_of_camera "$screen")
write_the_configuration
start_the_gate
wait_for 30 "the gate's word" logged 'not a (single-plane) video capture node'
stop_the_gate
