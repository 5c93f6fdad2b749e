#!/usr/bin/env bash
# Checks the machine and installs what is missing, before minutes are spent on a build.
# usage: scripts/setup.sh demo|test
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

purpose=${1:?demo or test}
# What the development build takes: of the program; of everything, with its tests.
case $purpose in demo) MIN_DISK_GB=4 ;; *) MIN_DISK_GB=12 ;; esac
PORTS="7100 7101 7102 7103"

check_rust() {
    command -v cargo >/dev/null || die "no cargo on PATH" "install Rust $(rust_version) or newer with rustup"
    local have
    have=$(rustc --version | awk '{print $2}')
    [ "$(printf '%s\n%s\n' "$(rust_version)" "$have" | sort -V | head -n 1)" = "$(rust_version)" ] ||
        die "rustc is $have" "Cartwright needs $(rust_version) or newer: rustup update"
}

rust_version() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }

check_cpu() {
    grep -qw avx2 /proc/cpuinfo ||
        die "this processor has no AVX2" "FAISS is built for x86-64-v3 (.cargo/config.toml); choose a machine with AVX2"
}

check_disk() {
    [ -x target/debug/cartwright ] && return
    local free
    free=$(df --output=avail -BG . | tail -n 1 | tr -dc '0-9')
    [ "$free" -ge "$MIN_DISK_GB" ] ||
        die "only $free GB are free here" "the build takes up to $MIN_DISK_GB GB: free some, or set CARGO_TARGET_DIR"
}

# The demo takes other ports when these are taken, so an owner is worth a word and not a failure.
check_ports() {
    local port owner
    for port in $PORTS; do
        owner=$(port_owner "$port")
        [ -z "$owner" ] || warn "port $port is taken by $owner; the demo will take a free one instead"
    done
}

# Prints "name (pid N)" of the process that listens on the TCP port, or nothing.
port_owner() {
    local inode link pid
    inode=$(awk -v port="$(printf '%04X' "$1")" '$4 == "0A" { split($2, at, ":"); if (at[2] == port) print $10 }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null | head -n 1)
    [ -n "$inode" ] || return 0
    for link in /proc/[0-9]*/fd/*; do
        [ "$(readlink "$link" 2>/dev/null)" = "socket:[$inode]" ] || continue
        pid=${link#/proc/}
        pid=${pid%%/*}
        echo "$(cat "/proc/$pid/comm") (pid $pid)"
        return
    done
    echo "a process of another user"
}

packages_missing() {
    local package
    for package in $(packages_wanted); do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
    done
}

packages_wanted() {
    echo g++ make cmake libopenblas-dev pkg-config
    [ "$purpose" != test ] || echo redis-server python3 python3-venv prometheus
}

install_packages() {
    local missing
    command -v dpkg-query >/dev/null || { warn "not a Debian machine: needed are $(packages_wanted | tr '\n' ' ')"; return; }
    missing=$(packages_missing | tr '\n' ' ')
    [ -n "${missing// /}" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        die "missing packages: $missing" "sudo apt-get install -y --no-install-recommends $missing"
    fi
    say "installing $missing(about half a minute)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # A package must not start a Redis of its own: the tests start theirs.
    local policy=/usr/sbin/policy-rc.d guard=no
    if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; guard=yes; fi
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
    [ "$guard" = no ] || rm -f "$policy"
}

step "1 of 3" "checking the machine"
check_rust
check_cpu
check_disk
[ "$purpose" != demo ] || check_ports
step "2 of 3" "system packages"
install_packages
