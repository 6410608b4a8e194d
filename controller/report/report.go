// Package report holds what the loops tell about hosts: plain values that the API turns into answers.
package report

import (
	"time"
)

// Host is the live state of one host, as the controller that masters it sees it.
type Host struct {
	Name string
	// Applied is the store revision up to which everything is programmed on the host.
	Applied int64
	// AgentConnected and AgentSince tell about the agent's stream; AgentSince is the time of the last change.
	AgentConnected bool
	AgentSince     time.Time
	Bridges        []Bridge
	// Failed lists the resources that the agent could not make true.
	Failed []Failure
}

// InSync says whether the host is connected in every way and has applied the revision.
func (h Host) InSync(revision int64) bool {
	if !h.AgentConnected || len(h.Failed) > 0 || h.Applied < revision {
		return false
	}
	for _, b := range h.Bridges {
		if !b.Connected {
			return false
		}
	}
	return true
}

// Bridge is the OpenFlow side of one bridge.
type Bridge struct {
	Name       string
	DatapathID uint64
	Connected  bool
	// Since is when Connected last changed.
	Since time.Time
	// Version is the OpenFlow version spoken, e.g. "1.4"; empty when not connected.
	Version string
	// Flows is how many rows of ours the bridge has.
	Flows int
	// FlowMods is how many flow-mods were sent since the connection came up.
	FlowMods int64
	// DriftRepaired is how many rows were repaired since the controller started.
	DriftRepaired int64
	// Err is why the last attempt to program the bridge failed; empty when it did not.
	Err string
}

// Failure is one object that could not be made true on a host.
type Failure struct {
	// Object is the failing resource or object: "tunnel/vxlan-0a000001", "port/<id>", "router/<id>", "snat/<router id>",
	// "fip/<network id>", "floatingip/<id>", "portforwarding/<id>", "dhcp/<network id>".
	Object  string
	Reason  string
	Message string
}

// Lag is a host that has not reached a revision.
type Lag struct {
	Host    string
	Applied int64
	Reason  string
}

// Row is one row of a flow table as the switch has it.
type Row struct {
	// Text is as ovs-ofctl -O OpenFlow13 dump-flows --no-stats prints it, cookie included.
	Text     string
	Table    uint8
	Cookie   uint64
	Packets  uint64
	Bytes    uint64
	Duration time.Duration
}

// Kinds of drift.
const (
	Missing = "missing"
	Foreign = "foreign"
	Changed = "changed"
)

// Drift is one difference between what is wanted and what a switch has.
type Drift struct {
	Host   string
	Bridge string
	Kind   string
	// Text is the row as wanted (missing, changed) or as found (foreign).
	Text   string
	Cookie uint64
	// Action is what is done about it.
	Action string
}

// Namespace is a network namespace of a host, compared with what it should be.
type Namespace struct {
	Host, Name string
	Lines      []NamespaceLine
}

// OK is the state of what is as it should be; Missing and Foreign are the others of a NamespaceLine.
const OK = "ok"

// Counter counts packets, and their bytes.
type Counter struct{ Packets, Bytes uint64 }

// Firewall is what the rules that judge a port on its firewall bridge have counted; bytes are from the header of IP on.
type Firewall struct {
	// Rules are by id.
	Rules map[string]Counter
	// RefusedIngress is what the port was to hear, RefusedEgress what it has sent.
	RefusedIngress, RefusedEgress Counter
}

// NamespaceLine is one thing that is, or should be, in a namespace.
type NamespaceLine struct {
	// Section is link, address, route, rule, neighbour, sysctl, iptables or process.
	Section string
	// Text is as the tool for the section prints it.
	Text  string
	State string
}

// Event is something that happened.
type Event struct {
	Time time.Time
	Host string
	// Reason is one CamelCase word, e.g. DriftRepaired.
	Reason  string
	Message string
	// Kind and ID name the object concerned, when there is one.
	Kind string
	ID   string
}
