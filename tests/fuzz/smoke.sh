#!/bin/bash
# Builds all fuzz targets and runs each from its corpus, about a minute in total: no crash, no leak,
# no hang. FUZZ_SECONDS: the total (default 60). docs/fuzzing.md
# timeout: 1500
# takes: 100
set -u
. "$(dirname "$0")/build.inc"
root=$ROOT build=$fuzz_build
total=${FUZZ_SECONDS:-60}
jobs=2

if ! command -v clang >/dev/null; then
    echo "clang is not installed: tools/setup.sh test"
    exit 77
fi
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
if ! fuzz_build_all "$log/build" fuzz; then
    tail -30 "$log/build"
    echo "not ok 1 - the fuzz targets build"
    exit 1
fi

# Not those left over from another revision: what this one builds.
targets=$(ninja -C "$build" -t query fuzz | sed -n 's|^.*fuzz/fuzz_||p' | sort -u)
n=$(echo "$targets" | wc -w)
[ "$n" -gt 0 ] || { echo "not ok 1 - there are fuzz targets"; exit 1; }
seconds=$(((total * jobs + n - 1) / n))

run_one() {
    local name=$1 corpus="$root/fuzz/corpus/$1"
    mkdir -p "$log/found_$name" "$log/bad_$name"
    [ -d "$corpus" ] || corpus=
    # shellcheck disable=SC2086
    ASAN_OPTIONS=quarantine_size_mb=8 "$build/fuzz/fuzz_$name" -max_total_time="$seconds" \
        -timeout=5 -rss_limit_mb=1024 -len_control=0 -max_len=1024 -close_fd_mask=3 -verbosity=1 \
        -artifact_prefix="$log/bad_$name/" "$log/found_$name" $corpus >"$log/out_$name" 2>&1
    echo $? >"$log/rc_$name"
}

export -f run_one
export log build root seconds
echo "$targets" | tr ' ' '\n' | xargs -P $jobs -I{} bash -c 'run_one {}'

bad=0
i=0
for name in $targets; do
    i=$((i + 1))
    runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log/out_$name")
    if [ "$(cat "$log/rc_$name" 2>/dev/null)" = 0 ] && [ -n "$runs" ]; then
        echo "ok $i - $name: $runs runs"
        continue
    fi
    bad=1
    grep -v -E 'NEW|REDUCE|pulse|RELOAD|INITED' "$log/out_$name" | tail -25 | sed 's/^/# /'
    for f in "$log/bad_$name"/*; do
        [ -f "$f" ] || continue
        cp "$f" "$build/crash_${name}_$(basename "$f")"
        echo "# input: $build/crash_${name}_$(basename "$f")"
    done
    echo "not ok $i - $name"
done
exit $bad
