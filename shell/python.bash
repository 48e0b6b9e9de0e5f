# Sourced by shell/demo and tests/run: find a Python, make a virtual environment, install packages
# of the system. The caller defines `say` (a progress line) and `fail` (a last word, then exit).
# shellcheck shell=bash

can_install() { [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null; }

# install_packages NAME...: Debian's packages, as root; without a question
install_packages() {
    say "apt-get install $*"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y
        --no-install-recommends "$@")
    # The lists may be missing or old: they are fetched where the first attempt fails.
    "${install[@]}" >/dev/null 2>&1 </dev/null && return
    apt-get update -qq >/dev/null </dev/null || true
    "${install[@]}" >/dev/null </dev/null
}

# The first Python >= 3.10, the system's before others: ordinary users may run it too.
# $1: code that it must be able to run as well
search_python() {
    local candidate
    for candidate in "${PYTHON:-}" /usr/bin/python3 python3 python3.{13,12,11,10}; do
        candidate=$(type -P "${candidate:-no-such-python}") || continue
        if "$candidate" -c "import sys; assert sys.version_info >= (3, 10); $1" 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

# A Python that can make virtual environments. Debian has that part in a package of its own.
find_python() {
    local found
    search_python 'import venv, ensurepip' && return
    found=$(search_python pass || true)
    can_install || fail "${found:-no Python >= 3.10} cannot make a virtual environment;" \
        "run: sudo apt-get install python3-venv"
    install_packages python3 python3-venv >&2 || fail "apt-get cannot install python3-venv"
    search_python 'import venv, ensurepip' || fail "the system's python3 is older than 3.10"
}

# state_of PATH...: changes whenever a file below one of them does
state_of() {
    find "$@" -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 cksum | cksum
}

# install_into VENV STATE ARGUMENT...: `pip install ARGUMENT...` unless it was done for this state
install_into() {
    local venv=$1 stamp=$1/jobwatt-state state=$2 python
    shift 2
    if [[ ! -x $venv/bin/pip ]] || ! "$venv/bin/python" -c '' 2>/dev/null; then
        python=$(find_python)
        say "virtual environment in $venv ($("$python" --version))"
        rm -rf -- "$venv"
        "$python" -m venv "$venv" || fail "$python -m venv failed"
    fi
    state="$state $("$venv/bin/python" --version) $*"
    [[ -r $stamp && $(<"$stamp") == "$state" ]] && return
    say "pip install $*"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" </dev/null ||
        fail "pip install failed"
    printf '%s\n' "$state" >"$stamp"
}
