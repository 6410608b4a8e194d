// Package bridge measures firewall bridges in a network namespace of its own, as the agent makes them, against
// iptables-restore, ipset and ip with the same content in the same run. What it prints is kept in docs/benchmarks.md.
package bridge
