#!/usr/bin/env bash
# Makes a fresh Debian machine ready for "make demo" and "make test": checks Go, and installs the Debian packages whose
# programs are missing, saying which. Does nothing, and needs no rights, when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
	printf 'bootstrap: %s\n' "$*" >&2
	exit 1
}

# Go: the version in go.mod, or any since 1.21, which fetches that version by itself.
wanted=$(awk '$1 == "go" { print $2; exit }' go.mod)
command -v go >/dev/null || fail "no Go: install Go $wanted from https://go.dev/dl/ and put it into PATH"
have=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//')
oldest=$(printf '%s\n' 1.21 "$have" | sort -V | head -n 1)
[ "$oldest" = 1.21 ] || fail "Go $have is too old: install Go $wanted from https://go.dev/dl/ (1.21 and later fetch it themselves)"

# Program, and the Debian package that holds it.
needed=(
	ovs-vswitchd:openvswitch-switch
	ovs-ofctl:openvswitch-common
	ip:iproute2
	ping:iputils-ping
	ethtool:ethtool
	nsenter:util-linux
	ps:procps
	iptables-restore:iptables
	ipset:ipset
	dnsmasq:dnsmasq-base
	dhcp_release:dnsmasq-utils
	radvd:radvd
	conntrack:conntrack
	curl:curl
	udhcpc:udhcpc
	dhclient:isc-dhcp-client
)
if [ "${1:-}" = test ]; then
	needed+=(gcc:gcc git:git) # go test -race; make check
fi
PATH=$PATH:/usr/sbin:/sbin
packages=()
for pair in "${needed[@]}"; do
	command -v "${pair%%:*}" >/dev/null || packages+=("${pair#*:}")
done
[ "${#packages[@]}" -gt 0 ] || exit 0
case " ${packages[*]} " in *" gcc "*) packages+=(libc6-dev) ;; esac

command -v apt-get >/dev/null || fail "missing: ${packages[*]} (Debian's names); this is no Debian, so install them by hand"
as_root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || fail "missing: ${packages[*]}; as root: apt-get install ${packages[*]}"
	as_root=(sudo)
fi

printf 'bootstrap: installing Debian packages: %s\n' "${packages[*]}"
# The lab runs its own Open vSwitch in its own namespaces. What the package would start for the whole machine is
# nobody's wish here, and policy-rc.d is how Debian is told so (invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
ours=
if [ ! -e $policy ]; then
	ours=yes
	trap '[ -z "$ours" ] || "${as_root[@]}" rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
	"${as_root[@]}" chmod 755 $policy
fi
log=$(mktemp)
if ! {
	"${as_root[@]}" apt-get update -q &&
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
} >"$log" 2>&1 </dev/null; then
	tail -n 20 "$log" >&2
	fail "apt-get failed; its last words are above, all of them in $log"
fi
rm -f "$log"
