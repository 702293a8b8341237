# shellcheck shell=dash
# The steps the lab's stories are told in: a gate with simulated wires and a simulated camera. Sourced by the cases.
# Times are waited for, never slept away: the emulated machine is some ten times slower than a real one.
run=/run/lab
wires=/sys/devices/platform/gpio-sim.0
slower=${LAB_SLOWER:-1} # another processor's machine has so many times the patience

say() { echo "$*"; }
fail() {
    say "FAILED: $*"
    exit 1
}
uptime_s() { cut -d. -f1 /proc/uptime; }
# wait_for SECONDS WHAT COMMAND… : until the command succeeds. (Starting a program takes the emulator long: none is, to look at the clock.)
wait_for() {
    seconds=$1 what=$2
    shift 2
    read -r now _ < /proc/uptime
    until_s=$((${now%.*} + seconds * slower))
    until "$@" > /dev/null 2>&1; do
        read -r now _ < /proc/uptime
        [ "${now%.*}" -lt $until_s ] || fail "waited $((seconds * slower)) s for $what"
        sleep 0.1
    done
}

# ---- wires -----------------------------------------------------------------------------------------------------------

insert_module() { # $1: its name, the rest its options
    name=$1
    shift
    insmod "$OUT/cache/$name".ko* "$@" || fail "$name could not be loaded"
}

# Offsets 0 to 11 of bank 0 are the lane's wires; bank 1 has what must be refused: a name twice, and a line that the
# kernel holds.
given_wires() {
    [ -e /sys/module/gpio_sim ] || insert_module gpio-sim
    chip=/sys/kernel/config/gpio-sim/lab
    mkdir -p $chip/bank0 $chip/bank1
    echo 12 > $chip/bank0/num_lines
    echo 3 > $chip/bank1/num_lines
    offset=0
    for name in RELAY BUZZER GREEN AMBER RED BUTTON ROTATION FIRE TAMPER RELAY_OUT GUARD SERVICE; do
        mkdir $chip/bank0/line$offset
        echo QRG_$name > $chip/bank0/line$offset/name
        offset=$((offset + 1))
    done
    mkdir $chip/bank1/line0 $chip/bank1/line1 $chip/bank1/line2
    echo TWIN > $chip/bank1/line0/name
    echo TWIN > $chip/bank1/line1/name
    echo HOG > $chip/bank1/line2/name
    mkdir $chip/bank1/line2/hog
    echo lab-hog > $chip/bank1/line2/hog/name
    echo input > $chip/bank1/line2/hog/direction
    echo 1 > $chip/live
    wires=$wires/$(cat $chip/bank0/chip_name)
    wait_for 5 "the simulated wires" test -e "/dev/$(cat $chip/bank0/chip_name)"
}

watch_the_wires() { # the relay and the lamps are seen from outside the program
    "$OUT/watch_lines" relay=$wires/sim_gpio0/value buzzer=$wires/sim_gpio1/value green=$wires/sim_gpio2/value \
        amber=$wires/sim_gpio3/value red=$wires/sim_gpio4/value > $run/wires.log &
    wait_for 5 "the watcher" grep -q 'relay 0' $run/wires.log
}

# Inputs by their names, as the kernel's chip has them at these offsets.
pull_of() {
    case $1 in
    button) echo $wires/sim_gpio5/pull ;;
    rotation) echo $wires/sim_gpio6/pull ;;
    fire) echo $wires/sim_gpio7/pull ;;
    tamper) echo $wires/sim_gpio8/pull ;;
    guard) echo $wires/sim_gpio10/pull ;;
    service) echo $wires/sim_gpio11/pull ;;
    *) fail "no such input: $1" ;;
    esac
}
activate() { echo pull-up > "$(pull_of "$1")"; }
release() { echo pull-down > "$(pull_of "$1")"; }
press_the_button() { activate button; }
release_the_button() { release button; }

relay_pulses() { # how many pulses of the relay have ended
    awk '$3 == "relay" && $4 == 1 { on = 1 } $3 == "relay" && $4 == 0 && on { on = 0; n++ } END { print n + 0 }' \
        $run/wires.log
}
pulses_are() { [ "$(relay_pulses)" -eq "$1" ]; }
times_switched_on() { grep -c ' 1$' $run/wires.log || true; }
relay_is() { [ "$(cat $wires/sim_gpio0/value)" = "$1" ]; }
wait_until_relay_is() { # without a program started at each look
    until_s=$(($(uptime_s) + ${2:-20} * slower))
    until read -r level < $wires/sim_gpio0/value && [ "$level" = "$1" ]; do
        read -r now _ < /proc/uptime
        [ "${now%.*}" -lt $until_s ] || fail "waited for the relay to be $1"
        sleep 0.02
    done
}
last_pulse_ms() {
    awk '$3 == "relay" { sub("t_us=", "", $2); if ($4 == 1) on = $2; else if (on) ms = ($2 - on) / 1000 }
        END { printf "%d", ms }' $run/wires.log
}

# ---- the camera ------------------------------------------------------------------------------------------------------

# vivid shows on its capture node what is written to its output node, while both have one size and format: GREY, which
# our driver prefers to all that vivid offers. The scene can change without a break in the stream.
given_a_camera() {
    # one HDMI input and one HDMI output, a capture and an output node for pictures; or what a case wants
    insert_module vivid ${*:-n_devs=1 num_inputs=1 input_types=0x3 num_outputs=1 output_types=0x1 node_types=0x101}
    find_vivid 0
    prepare_vivid
    camera_settings=$(settings_of_camera "$camera")
    feed_the_camera
}
find_vivid() { # $1: its number
    for node in /sys/devices/platform/vivid.0/video4linux/video*; do
        read -r name < "$node/name"
        case $name in
        vivid-00$1-vid-cap) camera=/dev/${node##*/} ;;
        vivid-00$1-vid-out) screen=/dev/${node##*/} ;;
        vivid-00$1-meta-cap) metadata=/dev/${node##*/} ;;
        esac
    done
}
prepare_vivid() {
    join_screen_and_camera
    timings=index=$(timings_720p_25)
    v4l2-ctl -d "$screen" --set-dv-bt-timings "$timings" >> $run/camera.log
    v4l2-ctl -d "$camera" --set-dv-bt-timings "$timings" >> $run/camera.log
    v4l2-ctl -d "$camera" --set-fmt-video width=1280,height=720,pixelformat=GREY
}
settings_of_camera() { # an emulated machine on a busy one is slow, not hung
    echo "{ driver = \"v4l2\"; device = \"$1\"; width_px = ${2:-1280}; height_px = ${3:-720}; rate_fps = 25;
           hang_ms = $((15000 * slower)); ${4:-} }"
}

# The cable from vivid's output to its input: a menu in later kernels, and without it the output has no timings.
join_screen_and_camera() {
    v4l2-ctl -d "$camera" --set-ctrl hdmi_000_0_is_connected_to=2 2> /dev/null ||
        v4l2-ctl -d "$camera" --set-ctrl loop_video=1
    v4l2-ctl -d "$camera" --set-ctrl osd_text_mode=2
}

feed_the_camera() {
    show_nothing
    join_screen_and_camera
    show_frames "$screen" GREY 1280 720
}
show_frames() { # device, format, width, height
    "$OUT/show_frames" "$@" $run/scene >> $run/shown.log 2>&1 &
    feeder=$!
    wait_for 10 "the first picture to be shown" grep -q shown $run/shown.log
}

# A folder without a picture: a gray wall that costs the emulator nothing.
given_no_camera() {
    mkdir -p $run/wall
    camera_settings="{ driver = \"replay\"; width_px = 640; height_px = 480; rate_fps = 2; hang_ms = $((15000 * slower));
           replay = { folder = \"$run/wall\"; }; }"
}

pull_the_camera_out() { # who still holds it would keep its number
    echo vivid.0 > /sys/bus/platform/drivers/vivid/unbind
    kill $feeder 2> /dev/null || true
    wait $feeder 2> /dev/null || true
}
# A gate that waits for its camera takes it at once, in the size and at the rate that it has from the start.
plug_the_camera_in() {
    echo vivid.0 > /sys/bus/platform/drivers/vivid/bind
    wait_for 10 "the camera's device" test -e "$camera" -a -e "$screen"
    feed_the_camera
}
inject() { v4l2-ctl -d "$camera" --set-ctrl "$1"; } # one of vivid's faults

timings_720p_25() { # 25 pictures a second: enough to read, and the emulator can keep up
    v4l2-ctl -d "$screen" --list-dv-timings | awk '/Index:/ { number = $2 } /Active width:/ { w = $3 } /Active height:/ { h = $3 }
        /Pixelclock:/ && w == 1280 && h == 720 && /25.00 frames/ { print number; exit }'
}

show() { # $1: what the QR code says
    printf %s "$1" > $run/scene.new
    mv $run/scene.new $run/scene
}
show_nothing() { show ''; }

# ---- broker and gate -------------------------------------------------------------------------------------------------

given_a_broker() {
    printf 'listener 1883 127.0.0.1\nallow_anonymous true\nuser root\n' > $run/mosquitto.conf
    mosquitto -c $run/mosquitto.conf > $run/broker.log 2>&1 &
    wait_for 20 "the broker" mosquitto_pub -h 127.0.0.1 -t lab -n
    mosquitto_sub -h 127.0.0.1 -t 'qrgate/#' -F '%t %p' >> $run/events.log & # to be emptied by a case
    sleep 1
}

long_press_ms=$((8000 * slower)) # usually 3000; on a busy machine a finger seems to rest longer than it does
# $1: the relay's pulse; a longer one can be caught in its middle; $2: the gap between two. more_lines, more_timing and
# more_settings hold what a case wants besides.
given_a_gate() {
    write_the_configuration "$@"
    start_the_gate
    wait_for 60 "the gate to look through its camera, or to end" gate_is_there_or_ended
    kill -0 "$gate" 2> /dev/null || fail "qrgated ended"
}
start_the_gate() {
    : > $run/events.log
    "$QRGATED" --config $run/qrgate.conf >> $run/qrgated.log 2>&1 &
    gate=$!
}
write_the_configuration() {
    mkdir -p $run/gate
    cat > $run/qrgate.conf <<CONF
site = "lab";
lane = "lane1";
camera = $camera_settings;
lines = {
  driver = "gpiod";
  relay = { line = "QRG_RELAY"; };
  buzzer = { line = "QRG_BUZZER"; };
  lamp_green = { line = "QRG_GREEN"; };
  lamp_amber = { line = "QRG_AMBER"; };
  lamp_red = { line = "QRG_RED"; };
  button = { line = "QRG_BUTTON"; bias = "pull-down"; };
  ${more_lines:-}
};
lane_timing = { pulse_ms = ${1:-300}; pulse_gap_ms = ${2:-500}; long_press_ms = $long_press_ms; ${more_timing:-} };
clock = { trust = "always"; };
journal = { path = "$run/gate/journal.db"; site_key_file = "$run/gate/site.key"; };
trust = { folder = "$run/gate"; };
mqtt = { host = "127.0.0.1"; };
${more_settings:-}
CONF
}
gate_is_there_or_ended() { said '"camera":"ok"' || ! kill -0 "$gate"; }

logged() { grep -q -- "$1" $run/qrgated.log; }
said() { grep -q -- "$1" $run/events.log; }
event_came() { # kind, reason
    grep '^qrgate/lab/lane1/passage ' $run/events.log | grep "\"kind\":\"$1\"" | grep -q "\"reason\":\"$2\""
}
ctl() { "$QRGATECTL" --config $run/qrgate.conf "$@" || fail "qrgatectl $*"; }
# Person $1's citizen card, and as many people declared green as $1 says.
card() { printf '0220990%05d||Đoàn Văn Thử|30121999|Nam|Thôn Một, Xã Hai, Quảng Ninh|01082024||||' "$1"; }
given_people() {
    {
        echo subject,status,declared_at
        for number in $(seq "$1"); do echo "cccd:$(card "$number" | cut -d'|' -f1),green,$(date -u +%FT%TZ)"; done
    } > $run/people.csv
    ctl import $run/people.csv > $run/import.log
}
last_pulse_lasts_ms() {
    width=$(last_pulse_ms)
    if [ "$width" -lt "$1" ] || [ "$width" -gt "$2" ]; then
        fail "a pulse of $width ms; $1 to $2 were expected"
    fi
}
stop_the_gate() {
    kill -TERM "$gate"
    status=0
    wait "$gate" || status=$?
    [ $status = 0 ] || fail "qrgated ended with $status"
}
names_are_secret() { # neither a number nor a name leaves the gate
    ! grep -E -q '022199012345|022099054321|Phượng|Thử' "$1" $run/qrgated.log || fail "personal data in events or log"
}
