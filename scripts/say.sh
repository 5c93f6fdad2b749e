# How the scripts speak: to stderr, so that stdout stays with the command that follows.

say() { echo "  $*" >&2; }
step() { echo "setup $1: $2" >&2; }
warn() { echo "  warning: $*" >&2; }
die() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}
