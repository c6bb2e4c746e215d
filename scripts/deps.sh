#!/usr/bin/env bash
# Debian packages by purpose. Installs those that are missing, with sudo if need be.
#   scripts/deps.sh [build] [test] [lint] [cross] [fuzz] [bench] [clients]  install (default: build test)
#   scripts/deps.sh --check GROUP...                  only say what is missing; fails if anything is
set -euo pipefail

packages() {
    case $1 in
    build) echo gcc libc6-dev cmake ninja-build pkg-config libpcre2-dev libutf8proc-dev libedit-dev \
        libmicrohttpd-dev libgnutls28-dev ;;
    test) echo libcmocka-dev python3 python3-jsonschema tmux curl openssl \
        python3-httpx python3-aiohttp ;;
    lint) echo clang clang-format cppcheck ;;
    cross) echo qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross libpcre2-dev:arm64 \
        libutf8proc-dev:arm64 libedit-dev:arm64 libmicrohttpd-dev:arm64 libgnutls28-dev:arm64 \
        libcmocka-dev:arm64 ;;
    clients) echo nodejs npm chromium ;; # npm unpacks the packages; the tests bring a newer node
    fuzz) echo clang libclang-rt-dev ;;
    bench) echo wrk ;;
    *) echo "deps.sh: unknown group '$1': build, test, lint, cross, fuzz, bench, clients" >&2; exit 2 ;;
    esac
}

# A tool or library from elsewhere serves as well as the package.
have() {
    case $1 in
    gcc | cmake | clang | clang-format | cppcheck | tmux | wrk | npm | curl | openssl) command -v "$1" ;;
    ninja-build) command -v ninja ;;
    nodejs) command -v node ;;
    pkg-config) command -v pkg-config ;;
    libc6-dev) echo '#include <stdio.h>' | gcc -E - ;;
    python3) python3 -c "import json, pty" ;;
    python3-jsonschema) # in any of those that the tests try
        for python in python3 /usr/bin/python3; do
            "$python" -c "from jsonschema import Draft202012Validator" && return
        done
        return 1 ;;
    python3-httpx | python3-aiohttp)
        for python in python3 /usr/bin/python3; do "$python" -c "import ${1#python3-}" && return; done
        return 1 ;;
    libpcre2-dev) pkg-config --exists libpcre2-8 ;;
    libutf8proc-dev) pkg-config --exists libutf8proc ;;
    libedit-dev) pkg-config --exists libedit ;;
    libclang-rt-dev) # holds the sanitizers and libFuzzer
        echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' |
            clang -fsanitize=fuzzer,address,undefined -x c - -o /dev/null ;;
    libmicrohttpd-dev) pkg-config --exists libmicrohttpd ;;
    libgnutls28-dev) pkg-config --exists gnutls ;;
    libcmocka-dev) pkg-config --exists cmocka ;;
    *) dpkg-query -W -f '${Status}' "$1" | grep -q 'ok installed' ;;
    esac >/dev/null 2>&1
}

check=false
[ "${1:-}" = --check ] && check=true && shift
[ $# -gt 0 ] || set -- build test

missing=()
for group in "$@"; do
    for package in $(packages "$group"); do
        have "$package" || missing+=("$package")
    done
done
[ ${#missing[@]} -gt 0 ] || exit 0

if $check; then
    echo "missing: ${missing[*]}" >&2
    echo "run scripts/deps.sh $* to install them" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null; then
    echo "missing, and this is not Debian: install what corresponds to ${missing[*]}" >&2
    exit 1
fi

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "as root: apt-get install ${missing[*]}" >&2; exit 1; }
    sudo=sudo
fi
echo "installing: ${missing[*]}"
case " ${missing[*]} " in
*:arm64*) $sudo dpkg --add-architecture arm64 ;;
esac
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
