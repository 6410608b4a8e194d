package checks

import "time"

// HealthTimeout is the controller's --host-timeout in labs that checks run in: shorter than its default, so that checks
// are short.
const HealthTimeout = 3 * time.Second

// ControllerArgs is what such a lab's controller must be told.
func ControllerArgs() []string { return []string{"--host-timeout", HealthTimeout.String()} }

// AgentArgs is what its agents must be told: what nothing announces is found soon.
func AgentArgs() []string { return []string{"--audit-interval", "3s"} }
