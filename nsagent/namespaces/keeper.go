package namespaces

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Space is a namespace for those who run something in it. It is an alias, so that other packages may declare the same.
type Space = interface {
	// Name is the namespace's, as ip netns knows it.
	Name() string
	// Do runs a function inside, on a thread of its own; processes and sockets that it starts belong there.
	Do(func() error) error
}

// Processes are the DHCP servers.
type Processes interface {
	// Ensure makes the server of a network run as described.
	Ensure(ctx context.Context, in Space, s plan.Server) (changed bool, err error)
	// Stop ends the server of a namespace, if there is one.
	Stop(ctx context.Context, namespace string) error
	// Running are the namespaces that have one.
	Running() ([]string, error)
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
	// StateDir is where the keeper notes which namespaces are ours.
	StateDir string
	DHCP     Processes
	Metadata Listeners
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
	// NamespaceRemoved: a namespace of ours that nobody desires was removed.
	NamespaceRemoved = "NamespaceRemoved"
)

// Problem is why a resource is not true.
type Problem struct {
	// Field is the field at fault, as the node protocol names it; often none.
	Field string
	// Reason is one CamelCase word.
	Reason  string
	Message string
}

// Device is a port that is there in the kernel and wanted on br-int.
type Device struct {
	// Name is tap and the first 11 characters of the port's id.
	Name   string
	PortID string
}

// Report is how far the host is what is desired. It is not changed once it is made.
type Report struct {
	// Problems are those of resources that are not true, by resource.
	Problems map[string]Problem
	// Pending are resources that have not been tried to the end yet.
	Pending map[string]bool
	// Devices are sorted by name.
	Devices []Device
}

// Keeper keeps the namespaces of a host.
type Keeper struct {
	cfg Config
}

// New makes a Keeper.
func New(cfg Config) *Keeper { return &Keeper{cfg: cfg} }

// Run works until the context ends, and leaves everything in place.
func (k *Keeper) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Set says what is desired. It never blocks. complete says that it is everything, not only what was on disk: namespaces
// of ours that nobody desires may go.
func (k *Keeper) Set(desired map[string]plan.Resource, complete bool) {}

// Changed wakes when the Report has changed.
func (k *Keeper) Changed() <-chan struct{} { return nil }

// Report is the latest.
func (k *Keeper) Report() Report { return Report{} }

// Unplugged says which tap devices br-int holds now: a veth pair is deleted only when its port has left br-int.
func (k *Keeper) Unplugged(names map[string]bool) {}

// Describe compares a namespace as it is with what is desired.
func (k *Keeper) Describe(ctx context.Context, namespace string) ([]plan.Line, error) {
	return nil, nil
}
