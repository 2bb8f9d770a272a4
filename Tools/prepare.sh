# Sourced by the commands of this folder: stages with their seconds, and what a fresh Debian machine lacks.

# What the build needs.
build_packages=(libsqlite3-dev libssl-dev libtsk-dev libxxhash-dev libzstd-dev pkg-config)

stage_name=
stage_began=0

# Ends the stage before and begins the next.
stage() {
    finish_stage
    stage_name=$1
    stage_began=$(date +%s)
}

finish_stage() {
    if [ -n "$stage_name" ]; then
        printf '%-44s %5d s\n' "$stage_name" "$(($(date +%s) - stage_began))"
    fi
    stage_name=
}

# Says why it cannot go on, and ends.
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 3
}

# Runs a command whose output matters only if it fails.
quietly() {
    output=$(mktemp)
    if "$@" >"$output" 2>&1; then
        rm -f "$output"
    else
        status=$?
        cat "$output" >&2
        rm -f "$output"
        printf '%s: "%s" failed with status %d\n' "$(basename "$0")" "$*" "$status" >&2
        exit 3
    fi
}

# Installs those of the Debian packages named that are not there yet.
install_packages() {
    missing=
    for package in "$@"; do
        if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
            missing="$missing $package"
        fi
    done
    [ -n "$missing" ] || return 0
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "these packages are missing and there is no sudo to install them:$missing"
        as_root=sudo
    fi
    command -v apt-get >/dev/null || fail "these packages are missing and there is no apt-get to install them:$missing"
    # The lists may be there and good enough; fetching them is only worth it if not.
    # shellcheck disable=SC2086
    if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >/dev/null 2>&1; then
        quietly $as_root apt-get update
        # shellcheck disable=SC2086
        quietly $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
    fi
}

# Ends with a clear message unless a Swift that can build this is on the path.
need_swift() {
    command -v swift >/dev/null ||
        fail "there is no swift on the path. Install Swift 6.2 or later from swift.org/install and run this again."
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    major=${version%%.*}
    minor=${version#*.}
    if [ "${major:-0}" -lt 6 ] || { [ "$major" -eq 6 ] && [ "${minor:-0}" -lt 2 ]; }; then
        fail "Swift 6.2 or later is needed, this is ${version:-of an unknown version}. See swift.org/install."
    fi
}
