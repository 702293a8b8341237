#!/bin/sh
# The lab: boots a Linux with simulated GPIO and simulated cameras in an emulator and runs tests/lab/cases in it.
#   tests/lab/run.sh [CASE…]    from anywhere; without CASE all. Exit: 0 passed, 1 failed, 77 can't be run here.
# QRGATED, QRGATECTL: the programs under test (build/…); BUILD: products, cache and logs (build/lab, in it a folder for
# each case); LAB_TIMEOUT_S: the longest a case may take (240); LAB_ACCEL: tcg or kvm, else KVM where it works.
# LAB_… are handed to the cases: LAB_PULSES, LAB_LATENCIES, LAB_REPLUGS, LAB_POWER_CUTS, LAB_SOAK_PASSAGES, LAB_SOAK_FAULT_S
# and LAB_SOAK_S are their lengths, LAB_SLOWER=3 has them wait three times as long (without it, by the time
# that the machine took to start). A longer case wants a longer limit: LAB_LATENCIES=200 LAB_TIMEOUT_S=900.
# Cases share a machine: one for those that have a line "# init: systemd" and are run by systemd as the guest's first
# process, one for the others. Each gets fresh hardware, and all that it started ends with it. The two run side by side.
# The guest sees this machine's files read-only, so it has every program and library that is installed here.
# LAB_ARCH=arm64: a machine with the Pi's processor instead; its files are those of LAB_GUEST, a Debian 13 for it in a folder
# (`make lab-arm64` makes both).
set -eu

repo=$(cd "$(dirname "$0")/../.." && pwd -P)
cd "$repo"
lab=$repo/tests/lab
BUILD=${BUILD:-build/lab}
mkdir -p "$BUILD"
out=$(cd "$BUILD" && pwd -P)
QRGATED=${QRGATED:-build/qrgated}
QRGATECTL=${QRGATECTL:-build/qrgatectl}
timeout_s=${LAB_TIMEOUT_S:-240}
kvm_patience_s=10 # emulated, this kernel is there after 3 s
cache=$out/cache
recipe=3 # of what make_cache() makes; another number makes it again
arch=${LAB_ARCH:-amd64}
guest=${LAB_GUEST:-}
case $arch in
    amd64) emulator_of=qemu-system-x86_64 processor=max console=ttyS0 cross='' packages=$lab/packages.txt ;;
    arm64) # the processor of a Pi 4
        emulator_of='qemu-system-aarch64 -machine virt' processor=cortex-a72 console=ttyAMA0 LAB_ACCEL=tcg
        cross='ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-' packages=$lab/packages_arm64.txt
        CC=aarch64-linux-gnu-gcc PKG_CONFIG=aarch64-linux-gnu-pkg-config ;;
esac

cannot() {
    echo "lab: can't be run here: $*" >&2
    exit 77
}

absolute() { # the guest starts in another folder
    case $1 in /*) echo "$1" ;; *) echo "$repo/$1" ;; esac
}

version_of() { apt-cache policy "$1" | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'; }

# $1: names. The newest kernel whose parts are all there in one version: signed images come to a mirror later than headers.
newest_kernel() {
    for headers in $(apt-cache search --names-only "^linux-headers-$1-$arch\$" | cut -d' ' -f1 | sort -rV); do
        name=${headers#linux-headers-}
        image_version=$(version_of "linux-image-$name")
        if [ -n "$image_version" ] && [ "$image_version" = "$(version_of "$headers")" ] &&
            apt-cache madison "linux-source-$series" | grep -qF " $image_version "; then
            echo "$name"
            return
        fi
    done
}

check_machine() {
    [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || cannot "it needs Debian on amd64 (kernel packages, emulator)"
    # The emulator reads this machine's files on the guest's behalf, as the user who runs it.
    [ "$(id -u)" = 0 ] || cannot "run it as root: the guest is root and must be able to read what root can"
    release=$(. /etc/os-release && echo "${VERSION_ID:-}")
    case $release in
        12) series=6.1 names='6\.1\.0-[0-9]+' compiler=gcc-12 ;;
        13) series=6.12 names='6\.12\.[0-9]+\+deb13' compiler=gcc-14 ;;
        *) cannot "it knows the kernels of Debian 12 and 13, this is ${release:-another system}" ;;
    esac
    [ "$arch" = amd64 ] || [ "$release" = 13 ] || cannot "it knows the $arch kernel of Debian 13 only"
    missing=
    while read -r package; do
        case $package in
            gcc-12) package=$compiler ;;
            libelf1) [ "$release" = 12 ] || package=libelf1t64 ;;
        esac
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done < "$packages"
    [ -z "$missing" ] || cannot "packages are missing; apt-get install --no-install-recommends$missing"
    kernel=$(newest_kernel "$names")
    if [ -z "$kernel" ] && [ -f "$cache/kernel" ]; then
        kernel=$(cat "$cache/kernel") # no package lists, but the work is done
    fi
    [ -n "$kernel" ] || cannot "apt knows no linux-headers-$series*-$arch (Debian $release's kernel; is apt-get update due?)"
}

# ---- the kernel, unpacked and never installed -----------------------------------------------------------------------

# Debian's kernel lacks gpio-sim and the interrupt simulator under it. Both are built from its own source as one module.
build_gpio_sim() {
    from=$1 module=$2
    dpkg --fsys-tarfile "$from/linux-source-$series"_*.deb | tar -xO "./usr/src/linux-source-$series.tar.xz" | xz -dc |
        tar -x -C "$module" --strip-components=1 --wildcards '*/drivers/gpio/gpio-sim.c' '*/drivers/gpio/gpiolib.h' \
            '*/kernel/irq/irq_sim.c'
    mv "$module/drivers/gpio/gpio-sim.c" "$module/gpio-sim-core.c"
    mv "$module/drivers/gpio/gpiolib.h" "$module/gpiolib.h"
    # irq_to_desc() isn't there for modules; generic_handle_irq() does the same by number.
    sed 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq(irqnum)/' "$module/kernel/irq/irq_sim.c" \
        > "$module/irq_sim.c"
    grep -q 'generic_handle_irq(irqnum)' "$module/irq_sim.c"
    # A Raspberry Pi keeps an output's level when its owner dies; so does this chip while keep_levels is set.
    kept='__assign_bit(offset, chip->value_map, !!test_bit(offset, chip->pull_map));'
    sed -i -z 's/\(chip->value_map,\)\n\t*\(!!test_bit\)/\1 \2/' "$module/gpio-sim-core.c" # later kernels break the line
    sed -i -e "s/^\(\t*\)$kept/\1if (!keep_levels) $kept/" \
        -e 's/^static DEFINE_IDA(gpio_sim_ida);/&\nstatic bool keep_levels;\nmodule_param(keep_levels, bool, 0644);/' \
        "$module/gpio-sim-core.c"
    [ "$(grep -c keep_levels "$module/gpio-sim-core.c")" = 3 ]
    printf 'obj-m := gpio-sim.o\ngpio-sim-y := gpio-sim-core.o irq_sim.o\n' > "$module/Kbuild"
    make_module "$from" "$module"
}

make_module() { # $1: the unpacked packages, $2: the module's folder
    headers=$1/usr/src/linux-headers-$kernel
    rm -f "$headers/vmlinux" # else the module would get type data, and pahole be needed for that
    # shellcheck disable=SC2086 # words
    make -s -C "$headers" -f "${headers%-$arch}-common/Makefile" M="$2" $cross modules
}

# A camera that has one format only, the one it is fed with: for those that vivid lacks or that the gate likes less.
build_v4l2loopback() {
    cp -r "$1"/usr/src/v4l2loopback-*/. "$2"
    printf 'obj-m := v4l2loopback.o\n' > "$2/Kbuild"
    make_module "$1" "$2"
}

# $1: list to write; the rest: modules. Copies them and what they need to the cache; the list has them in loading order.
keep_modules() {
    list=$1 from=$2
    shift 2
    for module; do
        modprobe -d "$from" -S "$kernel" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
    done | awk '!seen[$0]++' > "$from/order"
    while read -r file; do
        cp "$file" "$cache.new/modules/"
        basename "$file"
    done < "$from/order" > "$list"
}

# The kernel's build can't bear a space in a path, and the repository may lie anywhere: so it is made in /tmp.
make_cache() {
    [ "$(cat "$cache/kernel" "$cache/recipe" 2>/dev/null)" != "$(printf '%s\n' "$kernel" $recipe)" ] || return 0
    echo "lab: fetching Linux $kernel, building gpio-sim and v4l2loopback, once"
    work=$(mktemp -d /tmp/qrgate-lab.XXXXXX)
    trap 'rm -rf "$work"' EXIT
    rm -rf "$cache.new"
    mkdir -p "$cache.new/modules"
    kbuild=linux-kbuild-$series # Debian 13 has one for each build
    [ "$release" = 12 ] || kbuild=linux-kbuild-${kernel%-$arch}
    version=$(version_of "linux-headers-$kernel")
    (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "linux-image-$kernel=$version" \
        "linux-headers-$kernel=$version" "linux-headers-${kernel%-$arch}-common=$version" "$kbuild" \
        "linux-source-$series=$version" v4l2loopback-dkms) > "$out/fetch.log" 2>&1 ||
        cannot "the kernel's packages could not be fetched, see $out/fetch.log"
    for deb in "$work"/linux-image-*.deb "$work"/linux-headers-*.deb "$work"/linux-kbuild-*.deb \
        "$work"/v4l2loopback-*.deb; do
        dpkg -x "$deb" "$work"
    done
    [ -e "$work/lib" ] || ln -s usr/lib "$work/lib" # Debian 13 has its modules there
    for module in gpio-sim v4l2loopback; do
        mkdir "$work/$module"
        "build_$(echo $module | tr - _)" "$work" "$work/$module" > "$out/$module.log" 2>&1 || {
            cat "$out/$module.log" >&2
            echo "lab: $module could not be built" >&2
            exit 1
        }
    done
    depmod -b "$work" "$kernel"
    keep_modules "$cache.new/boot.list" "$work" virtio_pci 9pnet_virtio 9p overlay
    keep_modules "$cache.new/case.list" "$work" configfs vivid
    keep_modules "$cache.new/disk.list" "$work" loop ext4
    # The cases put in the hardware themselves; what it needs is there before.
    sed -i '/^vivid\.ko/d' "$cache.new/case.list"
    mv "$cache.new/modules/"vivid.ko* "$cache.new/"
    cp "$work/gpio-sim/gpio-sim.ko" "$work/v4l2loopback/v4l2loopback.ko" "$cache.new/"
    cp "$work/boot/vmlinuz-$kernel" "$cache.new/vmlinuz"
    echo "$kernel" > "$cache.new/kernel"
    echo $recipe > "$cache.new/recipe"
    rm -rf "$cache" "$work"
    trap - EXIT
    mv "$cache.new" "$cache"
}

# ---- what the cases use ----------------------------------------------------------------------------------------------

build_tools() {
    cc="${CC:-cc} -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -g -I."
    $cc -o "$out/watch_lines" tests/lab/watch_lines.c
    $cc -o "$out/hold_thread" tests/lab/hold_thread.c
    $cc -o "$out/press_often" tests/lab/press_often.c
    $cc -o "$out/pass_often" tests/lab/pass_often.c
    $cc -o "$out/bounce" tests/lab/bounce.c
    $cc -o "$out/show_frames" tests/lab/show_frames.c -lqrencode -ljpeg
    gpiod=$(${PKG_CONFIG:-pkg-config} --modversion libgpiod)
    # shellcheck disable=SC2046 # options are words
    $cc -DQRG_GPIOD_MAJOR="${gpiod%%.*}" -o "$out/test_lines" hw/lines*.c tests/unit/test_lines.c \
        $(${PKG_CONFIG:-pkg-config} --cflags --libs libgpiod) -lcmocka
    vision=$(echo daemon/vision/*.c | tr ' ' '\n' | grep -v -E '/(eye|sandbox|supervisor)\.c$') # what has no process around it
    # shellcheck disable=SC2086
    $cc -O3 -o "$out/see" tests/lab/see.c $vision hw/camera*.c hw/decoder.c hw/decoder_zbar.c hw/luma*.c hw/picture*.c \
        -lzbar -lv4l2 -ljpeg -lpng -lm
}

# $1: machine, the rest: cases. An initramfs that finds this machine's files and the cases.
make_initramfs() {
    machine=$1
    shift
    root=$out/$machine/initramfs
    rm -rf "$root"
    mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/lower" "$root/upper" "$root/new"
    if [ -n "$guest" ]; then busybox=$guest/usr/bin/busybox; else busybox=$(command -v busybox); fi
    cp "$busybox" "$root/bin/busybox"
    cp "$lab/init.sh" "$root/init"
    chmod 755 "$root/init"
    while read -r module; do
        cp "$cache/modules/$module" "$root/modules/"
    done < "$cache/boot.list"
    cp "$cache/boot.list" "$root/"
    printf '%s\n' "$repo" "$out" "$machine" "$*" "$(absolute "$QRGATED")" "$(absolute "$QRGATECTL")" > "$root/lab.args"
    { echo "LAB_TIMEOUT_S=$timeout_s" && env | grep '^LAB_[A-Z_]*=[A-Za-z0-9_./:-]*$'; } | sort -u > "$root/lab.env"
    (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) > "$out/$machine/initramfs.gz"
    rm -rf "$root"
}

share() { # an emulator's option: $1 tag, $2 folder, $3 access
    echo "local,id=$1,path=$(echo "$2" | sed 's/,/,,/g'),security_model=none,multidevs=remap$3"
}

# A /dev/kvm may be there and not start a Debian kernel, as where it virtualizes by page tables only: so it is tried, while
# the tools are built. Without a root the kernel panics, and the emulator ends.
try_kvm() {
    [ -w /dev/kvm ] || return 1
    timeout -k 1 $kvm_patience_s qemu-system-x86_64 -accel kvm -cpu host -m 256 -nographic -no-reboot -nodefaults \
        -serial stdio -monitor none -kernel "$cache/vmlinuz" -append 'console=ttyS0 panic=-1' < /dev/null \
        > "$out/kvm.log" 2>&1 || true
    grep -q 'Kernel panic' "$out/kvm.log"
}
choose_accelerator() { # $1: the trial's process
    accelerator='tcg,thread=multi' how='emulated (tcg)'
    if [ "$1" != 0 ] && wait "$1"; then
        accelerator=kvm how='virtual (kvm)' processor=host
        LAB_ACCEL=kvm
    elif [ "${LAB_ACCEL:-}" = kvm ]; then
        echo "lab: LAB_ACCEL=kvm, and this machine's KVM does not start Linux $kernel, see $out/kvm.log" >&2
        exit 1
    elif [ -e /dev/kvm ] && [ -z "${LAB_ACCEL:-}" ]; then
        how="$how, for this machine's KVM does not start it within $kvm_patience_s s"
    fi
    export LAB_ACCEL="${LAB_ACCEL:-tcg}"
    echo "lab: Linux $kernel, $how"
}

start_emulator() {
    # The machine that systemd boots has no battery for its clock, as a Raspberry Pi.
    clock=base=utc
    [ "$1" != systemd ] || clock=base=1970-01-01T00:00:10
    # shellcheck disable=SC2086 # words
    $emulator_of -accel $accelerator -cpu $processor -m 1024 -smp 2 -rtc "$clock" \
        -nographic -no-reboot -nodefaults -serial stdio -monitor none \
        -kernel "$cache/vmlinuz" -initrd "$out/$1/initramfs.gz" -append "console=$console quiet panic=-1 cryptomgr.notests" \
        -fsdev "$(share root "${guest:-/}" ,readonly=on)" -device virtio-9p-pci,fsdev=root,mount_tag=root \
        -fsdev "$(share repo "$repo" ,readonly=on)" -device virtio-9p-pci,fsdev=repo,mount_tag=repo \
        -fsdev "$(share cache "$out" ,readonly=on)" -device virtio-9p-pci,fsdev=cache,mount_tag=out \
        -fsdev "$(share result "$out/$1/result" '')" -device virtio-9p-pci,fsdev=result,mount_tag=result \
        < /dev/null > "$out/$1/console.log" 2>&1 &
    emulator=$!
}

# $1: machine, $2: case, $3: its folder. What became of it; false when it failed.
tell() {
    cat "$3/story" 2>/dev/null || true
    if [ "$(cat "$3/status" 2>/dev/null)" = 0 ]; then
        echo "PASS $2 $(cat "$3/seconds" 2>/dev/null) s"
        return 0
    fi
    if [ ! -f "$3/status" ]; then
        echo "---- $2 did not come to its end; the $1 machine's console, its end"
        tail -40 "$out/$1/console.log"
    fi
    for log in "$3"/*.log; do
        [ ! -f "$log" ] || { echo "---- $log, its end" && tail -25 "$log"; }
    done
    echo "FAIL $2 $(cat "$3/seconds" 2>/dev/null) s (logs: $out/$2)"
    return 1
}

end_the_machines() {
    [ -z "$emulator" ] || kill -9 "$emulator" 2>/dev/null || true
    [ -z "$beside" ] || kill "$beside" 2>/dev/null || true
}
watch_the_machines() {
    emulator='' beside=''
    trap end_the_machines EXIT
    trap 'exit 130' INT TERM
}

# $1: machine, the rest: cases.
run_machine() {
    machine=$1
    shift
    rm -rf "${out:?}/$machine"
    mkdir -p "$out/$machine/result"
    for case; do rm -rf "${out:?}/$case"; done
    make_initramfs "$machine" "$@"
    began=$(date +%s)
    allowed_s=$((120 + timeout_s * $#))
    start_emulator "$machine"
    for case; do # each is told of when it is over
        while kill -0 "$emulator" 2>/dev/null && [ ! -f "$out/$machine/result/$case/status" ]; do
            if [ $(($(date +%s) - began)) -ge $allowed_s ]; then
                kill -9 "$emulator"
                echo "lab: stopped after $allowed_s s" >> "$out/$machine/console.log"
            fi
            sleep 0.3
        done
        mkdir -p "$out/$machine/result/$case"
        tell "$machine" "$case" "$out/$machine/result/$case" || failed=1
    done
    wait "$emulator" || true
    emulator=''
    for case; do mv "$out/$machine/result/$case" "$out/$case"; done
    echo "lab: the $machine machine ran $(($(date +%s) - began)) s"
}

check_machine
make_cache
trial=0
if [ "${LAB_ACCEL:-kvm}" = kvm ]; then
    try_kvm &
    trial=$!
fi
build_tools
choose_accelerator $trial
failed=0
if [ $# -eq 0 ]; then
    for case in "$lab"/cases/*.sh; do
        set -- "$@" "$(basename "$case" .sh)"
    done
fi
plain='' booted=''
for name; do
    [ -f "$lab/cases/$name.sh" ] || { echo "lab: no case '$name' in tests/lab/cases" >&2 && exit 1; }
    if grep -q '^# init: systemd$' "$lab/cases/$name.sh"; then booted="$booted $name"; else plain="$plain $name"; fi
done
began_all=$(date +%s)
watch_the_machines
# shellcheck disable=SC2086 # names of cases are words
if [ -n "$booted" ]; then
    (
        watch_the_machines
        run_machine systemd $booted
        exit $failed
    ) > "$out/systemd.told" 2>&1 &
    beside=$!
fi
# shellcheck disable=SC2086
[ -z "$plain" ] || run_machine plain $plain
if [ -n "$booted" ]; then
    wait "$beside" || failed=1
    beside=''
    cat "$out/systemd.told"
fi
echo "lab: $(($(date +%s) - began_all)) s in all"
exit $failed
