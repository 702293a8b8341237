#!/bin/sh
# The lab: boots a Linux with simulated GPIO and a simulated camera in an emulator and runs tests/lab/cases in it.
#   tests/lab/run.sh [CASE…]    from anywhere; without CASE all. Exit: 0 passed, 1 failed, 77 can't be run here.
# QRGATED, QRGATECTL: the programs under test (build/…); BUILD: products, cache and logs (build/lab);
# LAB_TIMEOUT_S: the longest a case may take (240).
# A case with a line "# init: systemd" is run by systemd as the guest's first process; before that, by
# `CASE.sh before_boot`, it lays out the machine.
# The guest sees this machine's files read-only, so it has every program and library that is installed here.
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
cache=$out/cache
recipe=2 # of what make_cache() makes; another number makes it again

cannot() {
    echo "lab: can't be run here: $*" >&2
    exit 77
}

absolute() { # the guest starts in another folder
    case $1 in /*) echo "$1" ;; *) echo "$repo/$1" ;; esac
}

check_machine() {
    [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || cannot "it needs Debian on amd64 (kernel packages, emulator)"
    # The emulator reads this machine's files on the guest's behalf, as the user who runs it.
    [ "$(id -u)" = 0 ] || cannot "run it as root: the guest is root and must be able to read what root can"
    missing=
    while read -r package; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done < "$lab/packages.txt"
    [ -z "$missing" ] || cannot "packages are missing; apt-get install --no-install-recommends$missing"
    modules=$(apt-cache search --names-only '^linux-headers-6\.1\.0-[0-9]+-amd64$' | cut -d' ' -f1 | sort -V | tail -1)
    kernel=${modules#linux-headers-}
    if [ -z "$kernel" ] && [ -f "$cache/kernel" ]; then
        kernel=$(cat "$cache/kernel") # no package lists, but the work is done
    fi
    [ -n "$kernel" ] || cannot "apt knows no linux-headers-6.1.0-*-amd64 (Debian 12's kernel; is apt-get update due?)"
}

# ---- the kernel, unpacked and never installed -----------------------------------------------------------------------

# Debian's kernel lacks gpio-sim and the interrupt simulator under it. Both are built from its own source as one module.
build_gpio_sim() {
    from=$1 module=$2
    mkdir -p "$module"
    dpkg --fsys-tarfile "$from"/linux-source-6.1_*.deb | tar -xO ./usr/src/linux-source-6.1.tar.xz | xz -dc |
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
    sed -i -e "s/^\t$kept/\tif (!keep_levels) $kept/" \
        -e 's/^static DEFINE_IDA(gpio_sim_ida);/&\nstatic bool keep_levels;\nmodule_param(keep_levels, bool, 0644);/' \
        "$module/gpio-sim-core.c"
    [ "$(grep -c keep_levels "$module/gpio-sim-core.c")" = 3 ]
    printf 'obj-m := gpio-sim.o\ngpio-sim-y := gpio-sim-core.o irq_sim.o\n' > "$module/Kbuild"
    headers=$from/usr/src/linux-headers-$kernel
    make -s -C "$headers" -f "${headers%-amd64}-common/Makefile" M="$module" modules
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
    echo "lab: fetching Linux $kernel and building gpio-sim, once"
    work=$(mktemp -d /tmp/qrgate-lab.XXXXXX)
    trap 'rm -rf "$work"' EXIT
    rm -rf "$cache.new"
    mkdir -p "$cache.new/modules"
    version=$(apt-cache policy "linux-headers-$kernel" | awk '$1 == "Candidate:" { print $2 }')
    (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "linux-image-$kernel=$version" \
        "linux-headers-$kernel=$version" "linux-headers-${kernel%-amd64}-common=$version" "linux-kbuild-6.1=$version" \
        "linux-source-6.1=$version") > "$out/fetch.log" 2>&1 ||
        cannot "the kernel's packages could not be fetched, see $out/fetch.log"
    for deb in "$work"/linux-image-*.deb "$work"/linux-headers-*.deb "$work"/linux-kbuild-*.deb; do
        dpkg -x "$deb" "$work"
    done
    build_gpio_sim "$work" "$work/gpio-sim" > "$out/gpio-sim.log" 2>&1 || {
        cat "$out/gpio-sim.log" >&2
        echo "lab: gpio-sim could not be built" >&2
        exit 1
    }
    depmod -b "$work" "$kernel"
    keep_modules "$cache.new/boot.list" "$work" virtio_pci 9pnet_virtio 9p overlay
    keep_modules "$cache.new/case.list" "$work" configfs vivid
    keep_modules "$cache.new/disk.list" "$work" loop ext4
    cp "$work/gpio-sim/gpio-sim.ko" "$cache.new/modules/"
    echo gpio-sim.ko >> "$cache.new/case.list"
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
    $cc -o "$out/qr_frame" tests/lab/qr_frame.c -lqrencode
    gpiod=$(pkg-config --modversion libgpiod)
    # shellcheck disable=SC2046 # options are words
    $cc -DQRG_GPIOD_MAJOR="${gpiod%%.*}" -o "$out/test_lines" hw/lines*.c tests/unit/test_lines.c \
        $(pkg-config --cflags --libs libgpiod) -lcmocka
    $cc -o "$out/see" tests/lab/see.c hw/camera*.c hw/decoder.c hw/decoder_zbar.c hw/luma*.c hw/picture*.c -lzbar -lv4l2 -ljpeg -lpng -lm
}

# $1: name. An initramfs that finds this machine's files and this case.
make_initramfs() {
    root=$out/$1/initramfs
    rm -rf "$root"
    mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/lower" "$root/upper" "$root/new"
    cp "$(command -v busybox)" "$root/bin/busybox"
    cp "$lab/init.sh" "$root/init"
    chmod 755 "$root/init"
    while read -r module; do
        cp "$cache/modules/$module" "$root/modules/"
    done < "$cache/boot.list"
    cp "$cache/boot.list" "$root/"
    printf '%s\n' "$repo" "$out" "$1" "$(absolute "$QRGATED")" "$(absolute "$QRGATECTL")" > "$root/lab.args"
    (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) > "$out/$1/initramfs.gz"
    rm -rf "$root"
}

share() { # an emulator's option: $1 tag, $2 folder, $3 access
    echo "local,id=$1,path=$(echo "$2" | sed 's/,/,,/g'),security_model=none,multidevs=remap$3"
}

start_emulator() {
    qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 1024 -smp 2 \
        -nographic -no-reboot -nodefaults -serial stdio -monitor none \
        -kernel "$cache/vmlinuz" -initrd "$out/$1/initramfs.gz" -append 'console=ttyS0 quiet panic=-1 cryptomgr.notests' \
        -fsdev "$(share root / ,readonly=on)" -device virtio-9p-pci,fsdev=root,mount_tag=root \
        -fsdev "$(share repo "$repo" ,readonly=on)" -device virtio-9p-pci,fsdev=repo,mount_tag=repo \
        -fsdev "$(share cache "$out" ,readonly=on)" -device virtio-9p-pci,fsdev=cache,mount_tag=out \
        -fsdev "$(share result "$out/$1/result" '')" -device virtio-9p-pci,fsdev=result,mount_tag=result \
        < /dev/null > "$out/$1/console.log" 2>&1 &
    emulator=$!
    trap 'kill -9 "$emulator" 2>/dev/null || true' EXIT
    trap 'exit 130' INT TERM
}

run_case() {
    rm -rf "${out:?}/$1"
    mkdir -p "$out/$1/result"
    make_initramfs "$1"
    started=$(date +%s)
    start_emulator "$1"
    while kill -0 "$emulator" 2>/dev/null; do
        if [ $(($(date +%s) - started)) -ge "$timeout_s" ]; then
            kill -9 "$emulator"
            echo "lab: stopped after $timeout_s s" >> "$out/$1/console.log"
            break
        fi
        sleep 0.2
    done
    wait "$emulator" || true
    trap - EXIT INT TERM
    seconds=$(($(date +%s) - started))
    cat "$out/$1/result/story" 2>/dev/null || true
    if [ "$(cat "$out/$1/result/status" 2>/dev/null)" = 0 ]; then
        echo "PASS $1 $seconds s"
    else
        echo "---- $1: the guest's console, its end"
        tail -40 "$out/$1/console.log"
        for log in "$out/$1"/result/*.log; do
            [ ! -f "$log" ] || { echo "---- $log, its end" && tail -25 "$log"; }
        done
        echo "FAIL $1 $seconds s (logs: $out/$1)"
        return 1
    fi
}

check_machine
make_cache
build_tools
failed=0
if [ $# -eq 0 ]; then
    for case in "$lab"/cases/*.sh; do
        set -- "$@" "$(basename "$case" .sh)"
    done
fi
for name; do
    [ -f "$lab/cases/$name.sh" ] || { echo "lab: no case '$name' in tests/lab/cases" >&2 && exit 1; }
    run_case "$name" || failed=1
done
exit $failed
