# shellcheck shell=sh
# A Debian 13 in a folder, for trixie.sh and arm64.sh, which source this with $name set. The packages come from the mirror that
# this machine's own apt uses. Root only.
repo=$(cd "$(dirname "$0")/../.." && pwd -P)
mkdir -p "${BUILD:-$repo/build}/$name"
out=$(cd "${BUILD:-$repo/build}/$name" && pwd -P)
root=$out/root

cannot() {
    echo "check-$name: can't be run here: $*" >&2
    exit 77
}

mirror() { # of this machine's own Debian; its sources may name several
    apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
        awk -v release="$(. /etc/os-release && echo "$VERSION_CODENAME")" '$2 == release { print $1; exit }'
}

# $1: architectures
make_root() {
    [ "$(id -u)" = 0 ] || cannot "run it as root: it makes a root folder and changes into it"
    command -v mmdebstrap > /dev/null || cannot "a package is missing; apt-get install --no-install-recommends mmdebstrap"
    [ ! -f "$out/ready" ] || return 0
    from=$(mirror)
    [ -n "$from" ] || cannot "apt knows no mirror of Debian; is apt-get update due?"
    echo "check-$name: making a Debian 13 root, once"
    rm -rf "$root"
    mmdebstrap --quiet --variant=apt --architectures="$1" --include=make,git,ca-certificates,mount,procps,hostname trixie \
        "$root" "deb $from trixie main" > "$out/root.log" 2>&1 || {
        tail -20 "$out/root.log" >&2
        cannot "the root could not be made, see $out/root.log"
    }
    printf '127.0.0.1 localhost %s\n::1 localhost\n' "$(hostname)" > "$root/etc/hosts"
    : > "$out/ready"
}

# $1: architecture, $2: a list of packages. Their files in $root/guest, for the lab's machine of that processor: unpacked, never
# configured, so that nothing of them has to run here.
make_guest() {
    wanted=$(paste -sd, "$2")
    [ "$(cat "$root/guest.list" 2>/dev/null)" != "$wanted" ] || return 0
    echo "check-$name: unpacking the files of the lab's machine, once"
    rm -rf "$root/guest"
    mmdebstrap --quiet --variant=extract --architectures="$1" --include="$wanted" trixie "$root/guest" \
        "deb $(mirror) trixie main" > "$out/guest.log" 2>&1 || {
        tail -20 "$out/guest.log" >&2
        cannot "the files of the lab's machine could not be fetched, see $out/guest.log"
    }
    cp "$root/guest/usr/share/base-passwd/passwd.master" "$root/guest/etc/passwd"
    cp "$root/guest/usr/share/base-passwd/group.master" "$root/guest/etc/group"
    ln -s mawk "$root/guest/usr/bin/awk"
    echo "$wanted" > "$root/guest.list"
}

# What is committed or would be: no products of this machine's compiler.
copy_sources() {
    mkdir -p "$root/src"
    find "$root/src" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    (cd "$repo" && git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c \
        'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh | tar -c --null -T -) | tar -x -C "$root/src"
}

# The command, in the copy of the repository. It has namespaces of its own: what is started and mounted ends with it.
enter() {
    exec unshare --mount --pid --fork --kill-child --propagation private sh -euc '
        root=$1
        shift
        mount --bind "$root" "$root" # / has to be a mount for tests that make namespaces of their own
        mount -t proc proc "$root/proc"
        mount --rbind /sys "$root/sys"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs tmpfs "$root/run"
        exec chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            TERM="${TERM:-dumb}" CI="${CI:-}" QRG_STEPS="${QRG_STEPS:-}" LAB_CASES="${LAB_CASES:-}" sh -c "cd /src && exec \"\$@\"" sh "$@"' \
        sh "$root" "$@"
}
