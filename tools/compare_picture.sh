#!/bin/sh
# compare_picture.sh OUT.png [REPORT.html]: a picture of viaduct compare's report, of a new one if none is
# named. Needs chromium and pngquant (apt-get install chromium pngquant).
set -eu
out=$(realpath -m "${1:?usage: tools/compare_picture.sh OUT.png [REPORT.html]}")
for tool in chromium pngquant; do
    command -v $tool >/dev/null || { echo "$tool is missing: apt-get install $tool" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ $# -gt 1 ]; then
    cp "$2" "$work/report.html"
else
    "$(dirname "$0")/../build/viaduct" compare --html "$work/report.html"
fi
cd "$work"
chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
    --user-data-dir="$work/profile" --window-size=960,2520 --force-device-scale-factor=1 \
    --screenshot=report.png report.html 2>/dev/null
pngquant --quality 60-95 --output "$out" --force report.png
echo "$out: $(stat -c %s "$out") bytes"
