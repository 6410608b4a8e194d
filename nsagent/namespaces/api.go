package namespaces

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-sdn/weft/nsagent/kernel"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// Space is a namespace for those who run something in it. It is an alias, so that other packages may declare the same.
type Space = interface {
	// Name is the namespace's, as ip netns knows it.
	Name() string
	// Do runs a function inside, on a thread of its own; processes and sockets that it starts belong there.
	Do(func() error) error
}

// Processes are daemons that serve namespaces: T says what one serves. Those of plan.Server are DHCP servers, those of
// plan.Advertiser send router advertisements.
type Processes[T any] interface {
	// Ensure makes the process of a namespace run as described. The Space may be entered until Stop, by other goroutines.
	Ensure(ctx context.Context, in Space, what T) (changed bool, err error)
	// Stop ends the process of a namespace, if there is one.
	Stop(ctx context.Context, namespace string) error
	// Running are the namespaces that have one, or the files of one.
	Running() ([]string, error)
	// Alive says whether the process of a namespace runs.
	Alive(namespace string) bool
	// Deaths tells the namespaces whose process has ended.
	Deaths() <-chan string
}

// Listeners are the metadata listeners.
type Listeners interface {
	// Ensure makes a listener listen as described.
	Ensure(in Space, l plan.Listener) error
	// Stop ends the listener of a namespace, if there is one.
	Stop(namespace string)
}

// Config is what a Keeper needs.
type Config struct {
	DHCP        Processes[plan.Server]
	Advertisers Processes[plan.Advertiser]
	Metadata    Listeners
	// Tracker is br-int's; it may be nil.
	Tracker kernel.Tracker
	// Notify is told what is worth telling people; it must not block. It may be nil.
	Notify func(Notice)
	// AuditInterval is how often a namespace is looked at when nothing announces a change; default 10 s.
	AuditInterval time.Duration
	Log           *slog.Logger
	Metrics       prometheus.Registerer
}

// Notice is something worth telling people.
type Notice struct {
	// Namespace is the one it is about.
	Namespace string
	// Resource is the desired resource that it is mostly about; it may be empty.
	Resource string
	// Reason is one of the reasons below.
	Reason  string
	Message string
}

// Reasons of notices.
const (
	// DriftRepaired: somebody changed a namespace, and it was put right.
	DriftRepaired = "DriftRepaired"
	// ForeignFound: there is something in a namespace that is not ours; it is left alone.
	ForeignFound = "ForeignFound"
	// ConnectionsUnknown: a port is judged by another firewall from now on, which does not know some of its connections; each begins anew.
	ConnectionsUnknown = "ConnectionsUnknown"
	// NamespaceRemoved: a namespace of ours that nobody desires was found, and removed.
	NamespaceRemoved = "NamespaceRemoved"
)

// Problem is why a resource is not true.
type Problem struct {
	// Field is the field at fault, as the node protocol names it; often none.
	Field string
	// Reason is one of the reasons below.
	Reason  string
	Message string
}

// Reasons of problems.
const (
	// Invalid: it cannot be true as it is, together with the others.
	Invalid = "Invalid"
	// NameTaken: a namespace or device has the name, and is not ours.
	NameTaken = "NameTaken"
	// ProgramMissing: iptables or dnsmasq is not installed.
	ProgramMissing = "ProgramMissing"
	// NotPermitted: the agent may not do it; it needs root.
	NotPermitted = "NotPermitted"
	// StepFailed: the kernel or a program refused, or did not answer.
	StepFailed = "StepFailed"
	// NotKept: it was done, and is not so.
	NotKept = "NotKept"
	// Waiting: for another namespace, or for what a machine says.
	Waiting = "Waiting"
	// ServerFailed: the DHCP server, the metadata listener, or what sends router advertisements does not run as it should.
	ServerFailed = "ServerFailed"
)

// Device is a port that is there in the kernel and wanted on br-int.
type Device struct {
	// Name is tap and the first 11 characters of the port's id.
	Name   string
	PortID string

	// What follows is of a firewall bridge.

	// MAC is the port's.
	MAC string
	// Instead is the port of br-int whose place it takes: of the bridge's qvo the machine's own device, and the other way round
	// when the bridge goes.
	Instead string
	// Lent: it is the machine's own device, which others made.
	Lent bool
	// Taught: the bridge is to go, and br-int knows the connections that it has tracked.
	Taught bool
}

// Report is how far the host is what is desired. It is not changed once it is made.
type Report struct {
	// Problems are those of resources that are not true, by resource.
	Problems map[string]Problem
	// Pending are resources that have not been tried to the end yet.
	Pending map[string]bool
	// Stale: what was set last has not reached the namespaces yet; what was taken away may be in force still.
	Stale bool
	// Devices are sorted by name.
	Devices []Device
}
