#!/usr/bin/env bash
# Fails when a generated file is not what "make generate" would write. Works on a copy: the checkout stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/before"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
	[ ! -e "$file" ] || cp --parents "$file" "$work/before"
done
cp -a "$work/before" "$work/after"
make --no-print-directory -C "$work/after" generate
if ! (cd "$work" && diff -ru before after); then
	echo 'check-generated: stale files, see above: run "make generate" and commit the result' >&2
	exit 1
fi
