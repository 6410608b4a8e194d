package store

import (
	"context"
	"errors"
	"iter"
	"log/slog"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

const (
	embeddedTxnOps       = 65536
	embeddedRequestBytes = 64 << 20
)

// Store is the durable intent.
type Store struct{}

// Open starts (embedded) or dials (external) etcd, reads everything, and follows it until Close.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Store, error) {
	return nil, errors.ErrUnsupported
}

// Close ends everything that Open started. Updates under way fail with ErrClosed.
func (s *Store) Close() error { return nil }

// Snapshot is the newest state and its revision.
func (s *Store) Snapshot() (state.Snapshot, int64) { return state.Snapshot{}, 0 }

// Update runs the function on the newest state and commits what it changed in one transaction, durably, before it
// returns; then Snapshot is at least at the revision returned. The function may be run several times and must have no
// effects but on Tx and on variables that it sets anew in each run. When it returns an error nothing of it is written
// (return any error to try things out), and Update returns that error as it is.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) (revision int64, err error) {
	return 0, errors.ErrUnsupported
}

// Batch is what one revision changed. It may be empty.
type Batch struct {
	Revision int64
	// Snapshot is the state at Revision.
	Snapshot state.Snapshot
	Changes  []state.Change
}

// Watch yields the batches after fromRevision, in order and without a gap, and waits for more until ctx is done (it
// then yields ctx.Err()). ErrCompacted: see there; also given to a reader that is too slow. It ends after an error. A slow
// reader delays nobody.
func (s *Store) Watch(ctx context.Context, fromRevision int64) iter.Seq2[Batch, error] {
	return func(func(Batch, error) bool) {}
}

// Epoch makes a number that is higher than every one it made before, in any controller on this store.
func (s *Store) Epoch(ctx context.Context) (uint64, error) { return 0, errors.ErrUnsupported }

// Tx is the state as the function of an Update sees it: the newest snapshot, with the changes that it made itself.
//
// Create, Update and Delete check everything and return all that is wrong at once: *model.Invalid, *ErrAlreadyExists
// (joined when several), *ErrNotFound, *ErrInUse, *ErrExhausted, *ErrConflict. After an error the function should
// return it. Objects given are not kept: the caller may go on using them. Objects returned are shared: copy before a change.
type Tx struct {
	state.Snapshot
}

// CreateNetwork adds a network. An empty id, type, MTU or segment id is chosen; L2Population is forced to false where
// there are no tunnels.
func (t *Tx) CreateNetwork(n *model.Network) (*model.Network, error) {
	return nil, errors.ErrUnsupported
}

// UpdateNetwork replaces a network by the whole new value. expected is the revision that the caller saw, or 0 for any.
func (t *Tx) UpdateNetwork(n *model.Network, expected int64) (*model.Network, error) {
	return nil, errors.ErrUnsupported
}

// DeleteNetwork removes a network that has neither subnets nor ports.
func (t *Tx) DeleteNetwork(id string, expected int64) error { return errors.ErrUnsupported }

// CreateSubnet adds a subnet. GatewayIP zero means none (model.DefaultGateway gives the usual one); empty pools are
// computed.
func (t *Tx) CreateSubnet(s *model.Subnet) (*model.Subnet, error) { return nil, errors.ErrUnsupported }

// UpdateSubnet replaces a subnet by the whole new value.
func (t *Tx) UpdateSubnet(s *model.Subnet, expected int64) (*model.Subnet, error) {
	return nil, errors.ErrUnsupported
}

// DeleteSubnet removes a subnet that no port has an address of.
func (t *Tx) DeleteSubnet(id string, expected int64) error { return errors.ErrUnsupported }

// CreatePort adds a port. An empty id, MAC or address is chosen; a fixed IP may lack the subnet or the address; no fixed
// IPs means one of each IP version that the network has.
func (t *Tx) CreatePort(p *model.Port) (*model.Port, error) { return nil, errors.ErrUnsupported }

// UpdatePort replaces a port by the whole new value. A zero MAC keeps the old one; no fixed IPs means none; a fixed IP
// with only a subnet keeps an address that the port has there.
func (t *Tx) UpdatePort(p *model.Port, expected int64) (*model.Port, error) {
	return nil, errors.ErrUnsupported
}

// DeletePort removes a port, its binding and its state.
func (t *Tx) DeletePort(id string, expected int64) error { return errors.ErrUnsupported }

// CreateHost adds a host; its ID is the hostname. DVRMAC and Number are chosen.
func (t *Tx) CreateHost(h *model.Host) (*model.Host, error) { return nil, errors.ErrUnsupported }

// UpdateHost replaces a host by the whole new value.
func (t *Tx) UpdateHost(h *model.Host, expected int64) (*model.Host, error) {
	return nil, errors.ErrUnsupported
}

// DeleteHost removes a host, and what its agent reported. No port may be bound to it or ask for it.
func (t *Tx) DeleteHost(id string, expected int64) error { return errors.ErrUnsupported }

// EnsureHost returns the host of that name, and registers it when it is new.
func (t *Tx) EnsureHost(name string) (*model.Host, error) { return nil, errors.ErrUnsupported }

// ReportHost takes what a registered host's agent says about the host. The first report makes bindings possible.
func (t *Tx) ReportHost(f *model.HostFacts) error { return errors.ErrUnsupported }

// ReportInterfaces takes what a host's agent sees on br-int: upserts are new or changed; with full, all others are gone;
// removed are names of interfaces that went away. Interface.Host and Seen are filled in.
func (t *Tx) ReportInterfaces(host string, full bool, upserts []model.Interface, removed []string) error {
	return errors.ErrUnsupported
}

// SetPortState takes what the port's host acknowledged. Status DOWN removes the state; Since is filled in. *ErrConflict
// when the port is not bound to state.Host (any more).
func (t *Tx) SetPortState(st *model.PortState) error { return errors.ErrUnsupported }
