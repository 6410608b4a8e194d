// Package router measures routers, floating IPs, and ports that are judged, on virtual hosts with real agents, against the tools
// that a person would use for the same, or against what has none of it, in the same run. What it prints is kept in
// docs/benchmarks.md.
package router
