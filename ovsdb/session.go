package ovsdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// Session is one connection to ovsdb-server, with a mirror of what the package needs. It does not reconnect: when Done
// is closed the caller dials anew, and so never mistakes an old mirror for the database.
type Session struct {
	client  client.Client
	changed chan struct{} // of size one
	done    chan struct{}
}

// Dial connects to a database server ("unix:/run/openvswitch/db.sock", "tcp:127.0.0.1:6640") and mirrors it.
func Dial(ctx context.Context, endpoint string) (*Session, error) {
	s, err := dial(ctx, endpoint)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w (is ovsdb-server running there?)", endpoint, err)
	}
	return s, nil
}

func dial(ctx context.Context, endpoint string) (*Session, error) {
	dbModel, err := model.NewClientDBModel(database, models())
	if err != nil {
		return nil, err
	}
	c, err := client.NewOVSDBClient(dbModel, client.WithEndpoint(endpoint))
	if err != nil {
		return nil, err
	}
	if err := c.Connect(ctx); err != nil {
		return nil, err
	}
	s := &Session{client: c, changed: make(chan struct{}, 1), done: make(chan struct{})}
	go s.awaitEnd()
	c.Cache().AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(string, model.Model) { s.wake() },
		UpdateFunc: func(string, model.Model, model.Model) { s.wake() },
		DeleteFunc: func(string, model.Model) { s.wake() },
	})
	if err := s.mirror(ctx); err != nil {
		s.Close()
		return nil, err
	}
	s.wake()
	return s, nil
}

// awaitEnd closes done when the connection is over. libovsdb tells only those who wait at that moment; who came too late
// sees that there is no endpoint any more.
func (s *Session) awaitEnd() {
	defer close(s.done)
	late := time.NewTicker(time.Second)
	defer late.Stop()
	for {
		select {
		case <-s.client.DisconnectNotify():
			return
		case <-late.C:
			if s.client.CurrentEndpoint() == "" {
				return
			}
		}
	}
}

func (s *Session) mirror(ctx context.Context) error {
	root, br, port, iface, ctl, ssl := &rootRow{}, &bridgeRow{}, &portRow{}, &interfaceRow{}, &controllerRow{}, &sslRow{}
	_, err := s.client.Monitor(ctx, s.client.NewMonitor(
		client.WithTable(root, &root.Bridges, &root.NextCfg, &root.CurCfg, &root.OVSVersion, &root.SSL),
		client.WithTable(br, &br.Name, &br.DatapathType, &br.FailMode, &br.Protocols, &br.Controllers, &br.Ports, &br.OtherConfig, &br.ExternalIDs),
		client.WithTable(port, &port.Name, &port.Interfaces, &port.Tag, &port.Trunks, &port.VLANMode, &port.ExternalIDs),
		client.WithTable(iface, &iface.Name, &iface.Type, &iface.Options, &iface.OFPort, &iface.IfIndex, &iface.Error, &iface.ExternalIDs),
		client.WithTable(ctl, &ctl.Target, &ctl.ConnectionMode, &ctl.MaxBackoff, &ctl.InactivityProbe, &ctl.IsConnected, &ctl.Role, &ctl.ExternalIDs),
		client.WithTable(ssl, &ssl.PrivateKey, &ssl.Certificate, &ssl.CACert, &ssl.Bootstrap, &ssl.ExternalIDs),
	))
	if err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	return nil
}

func (s *Session) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Changed yields after the database has changed, once for any number of changes since.
func (s *Session) Changed() <-chan struct{} { return s.changed }

// Done is closed when the connection is lost or closed.
func (s *Session) Done() <-chan struct{} { return s.done }

// Close ends the session and waits until it has ended.
func (s *Session) Close() {
	s.client.Close()
	<-s.done
}

// ErrNotReady says that the database has no Open_vSwitch row: nobody has initialised it, or the session is over.
var ErrNotReady = errors.New("the database has no Open_vSwitch row yet; ovs-vsctl --no-wait init makes it")

// State reads the mirror.
func (s *Session) State() (*State, error) {
	c := s.client.Cache()
	if c == nil {
		return nil, client.ErrNotConnected
	}
	t := readTables(c)
	// libovsdb changes the mirror one table after the other, under a lock that readers of several tables cannot take. Two
	// equal readings in a row mean that nothing changed from the end of the first to the beginning of the second.
	for {
		again := readTables(c)
		if t.equal(again) {
			break
		}
		t = again
	}
	root := rows[rootRow](t[tableRoot])
	if len(root) != 1 {
		return nil, ErrNotReady
	}
	return newState(root[0], rows[bridgeRow](t[tableBridge]), rows[portRow](t[tablePort]),
		rows[interfaceRow](t[tableInterface]), rows[controllerRow](t[tableController]), rows[sslRow](t[tableSSL])), nil
}

// tables are rows by table and UUID.
type tables map[string]map[string]model.Model

func readTables(c *cache.TableCache) tables {
	t := tables{}
	for name := range models() {
		if r := c.Table(name); r != nil {
			t[name] = r.RowsShallow()
		}
	}
	return t
}

// equal compares pointers: the mirror replaces a row that changes.
func (t tables) equal(u tables) bool {
	return maps.EqualFunc(t, u, func(a, b map[string]model.Model) bool { return maps.Equal(a, b) })
}

func rows[T any](m map[string]model.Model) []*T {
	out := make([]*T, 0, len(m))
	for _, r := range m {
		out = append(out, r.(*T))
	}
	return out
}

// commit does all operations or none, in one transaction, and returns the number by which State.Applied knows it.
func (s *Session) commit(ctx context.Context, st *State, comment string, ops []ovsdb.Operation) (cfg int64, err error) {
	root := where(st.root.UUID)
	ops = slices.Concat([]ovsdb.Operation{{Op: ovsdb.OperationComment, Comment: &comment}}, ops, []ovsdb.Operation{
		{Op: ovsdb.OperationMutate, Table: tableRoot, Where: root, Mutations: []ovsdb.Mutation{{Column: "next_cfg", Mutator: ovsdb.MutateOperationAdd, Value: 1}}},
		{Op: ovsdb.OperationSelect, Table: tableRoot, Where: root, Columns: []string{"next_cfg"}},
	})
	results, err := s.client.Transact(ctx, ops...)
	if err != nil {
		return 0, err
	}
	// A transaction that fails when it is to be committed has one result more than operations (RFC 7047, 4.1.3).
	for i, r := range results {
		if r.Error != "" {
			op := "commit"
			if i < len(ops) {
				op = ops[i].Op + " " + ops[i].Table
			}
			return 0, &RefusedError{op, r.Error, r.Details}
		}
	}
	if len(results) != len(ops) || len(results[len(ops)-1].Rows) != 1 {
		return 0, fmt.Errorf("%d operations are answered by %d results", len(ops), len(results))
	}
	// A number of JSON.
	n, ok := results[len(ops)-1].Rows[0]["next_cfg"].(float64)
	if !ok {
		return 0, fmt.Errorf("next_cfg is %v", results[len(ops)-1].Rows[0]["next_cfg"])
	}
	// The mirror must show our own changes before anybody looks at it again, who would take them for missing.
	return int64(n), s.await(ctx, func(st *State) bool { return int64(st.root.NextCfg) >= int64(n) })
}

// await returns when the mirror is as it should be.
func (s *Session) await(ctx context.Context, is func(*State) bool) error {
	woken := false
	defer func() {
		if woken {
			s.wake() // the caller waits for changes too
		}
	}()
	for {
		st, err := s.State()
		if err != nil {
			return err
		}
		if is(st) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the database does not change as it should: %w", ctx.Err())
		case <-s.done:
			return client.ErrNotConnected
		case <-s.changed:
			woken = true
		}
	}
}

// RefusedError says that the database refused a transaction, of which nothing was done.
type RefusedError struct{ Op, Reason, Details string }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the database refuses the transaction at %q: %s: %s", e.Op, e.Reason, e.Details)
}
