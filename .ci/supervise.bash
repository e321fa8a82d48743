# Sourced by the scripts beside it.

# Runs one command in a process group of its own and waits for it.
# bash puts a trap off until the command in the foreground ends, so a plain call would let a stopped build run on and would leave
# its server behind. Waiting in the background instead lets INT and TERM through at once, and `abandon` ends the whole group:
# cargo, the test binaries, and the servers they started.
supervised() {
    set -m
    "$@" </dev/null &
    supervised_pid=$!
    set +m
    local status=0
    wait "$supervised_pid" || status=$?
    supervised_pid=
    return "$status"
}

# Ends the command that is being supervised, if there is one, and waits until it is gone.
abandon() {
    [ -n "${supervised_pid:-}" ] || return 0
    kill -TERM -- "-$supervised_pid" 2>/dev/null || true
    wait "$supervised_pid" 2>/dev/null || true
    supervised_pid=
}

# Cargo as rustup installs it, for shells that did not read a profile.
command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
