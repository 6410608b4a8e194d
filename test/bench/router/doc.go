// Package router measures routers and floating IPs on virtual hosts with real agents, against the tools that a person would
// use for the same, in the same run. What it prints is kept in docs/benchmarks.md.
package router
