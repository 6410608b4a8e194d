package fakeswitch

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/weft-sdn/weft/openflow"
)

// Tables is how many flow tables the switch has, as Open vSwitch.
const Tables = 254

// Config describes a switch. Only DatapathID is needed.
type Config struct {
	DatapathID uint64
	// Versions are offered in the hello. Default 1.3, 1.4 and 1.5.
	Versions []openflow.Version
	Ports    []openflow.Port
	// MaxFlows is how many rows fit; beyond, an add fails with OFPFMFC_TABLE_FULL. 0: no limit.
	MaxFlows int
	// NoMeters makes a switch whose datapath has no meters.
	NoMeters bool
	// Refuse, if set, is asked about each flow-mod when it arrives; nil lets it pass.
	Refuse func(*openflow.FlowMod) *openflow.Error
	// Intercept, if set, sees each message before the switch does. It returns what to send back, and whether that is all:
	// a switch that lies is made with it.
	Intercept func(h openflow.Header, m openflow.Message) (reply []byte, handled bool)
}

// Switch is a switch that any number of controllers may be connected to.
type Switch struct {
	cfg Config

	mu     sync.Mutex
	table  table
	meters map[uint32]openflow.MeterConfig
	// metersGone is when a controller last removed one; meterRest is what MeterRest tells.
	metersGone time.Time
	meterRest  time.Duration
	conns      map[*conn]context.CancelFunc
	generation uint64
	generated  bool // whether generation means anything
	mute, deaf bool
	delay      time.Duration
	deafEnd    chan struct{} // closed when the switch hears again
	counts     Counts
}

// Counts are what a switch has been told so far.
type Counts struct {
	FlowMods, Commits, Discards, Barriers, Dumps, Connections int
	// MeterDumps counts lists of meters; Dumps those of rows.
	MeterDumps int
	// Forgotten counts orders to forget connections.
	Forgotten int
}

// New makes a switch with empty tables.
func New(cfg Config) *Switch {
	if len(cfg.Versions) == 0 {
		cfg.Versions = []openflow.Version{openflow.V13, openflow.V14, openflow.V15}
	}
	return &Switch{cfg: cfg, table: table{}, meters: map[uint32]openflow.MeterConfig{}, conns: map[*conn]context.CancelFunc{}}
}

// Serve speaks OpenFlow on a connection until it or the context ends, and closes it. The error says why it ended.
func (s *Switch) Serve(ctx context.Context, nc net.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := newConn(s, nc)
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	s.mu.Lock()
	s.conns[c] = cancel
	s.counts.Connections++
	s.mu.Unlock()
	err := c.run(ctx)
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	return err
}

// Dial connects to a controller and serves, again and again, until the context ends. Between two tries it waits backoff.
func (s *Switch) Dial(ctx context.Context, network, address string, backoff time.Duration) {
	var d net.Dialer
	for ctx.Err() == nil {
		if nc, err := d.DialContext(ctx, network, address); err == nil {
			s.Serve(ctx, nc) // why it ended is of no interest: the next try follows
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
	}
}

// Disconnect closes all connections.
func (s *Switch) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.conns {
		cancel()
	}
}

// Flow is a row of a table, decoded.
type Flow struct {
	Table                    uint8
	Priority                 uint16
	Cookie                   uint64
	IdleTimeout, HardTimeout uint16
	Importance, Flags        uint16
	Match                    openflow.Match
	Actions                  []openflow.Action
}

// Flows lists the rows, by table, then falling priority, then match.
func (s *Switch) Flows() []Flow {
	s.mu.Lock()
	rows := s.table.sorted()
	s.mu.Unlock()
	out := make([]Flow, len(rows))
	for i, r := range rows {
		actions, err := openflow.ParseInstructions([]byte(r.instructions), r.version)
		if err != nil {
			panic("fakeswitch: stored instructions do not parse: " + err.Error())
		}
		out[i] = Flow{Table: r.table, Priority: r.priority, Cookie: r.cookie, IdleTimeout: r.idle, HardTimeout: r.hard,
			Importance: r.importance, Flags: r.flags, Match: r.matched(), Actions: actions}
	}
	return out
}

// Len is how many rows there are.
func (s *Switch) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.table)
}

// Counts returns what the switch has been told so far.
func (s *Switch) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Change applies flow-mods, all or none, as somebody else than the connected controllers, who learn of it by their monitors.
func (s *Switch) Change(mods ...openflow.FlowMod) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &transaction{s: s}
	for i := range mods {
		if err := t.apply(&mods[i], 0, openflow.V15); err != nil {
			t.rollBack()
			return err
		}
	}
	t.finish()
	return nil
}

// Hit makes the rows of a table with that priority count packets.
func (s *Switch) Hit(table uint8, priority uint16, packets uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, r := range s.table {
		if k.table == table && k.priority == priority {
			n := *r
			n.packets += packets
			s.table[k] = &n
		}
	}
}

// Clear empties all tables without telling anybody, as a switch that has started anew.
func (s *Switch) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = table{}
	s.generation, s.generated = 0, false
}

// PortStatus tells all controllers of a port, and keeps it in the list of ports.
func (s *Switch) PortStatus(reason openflow.PortReason, p openflow.Port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Ports = slices.DeleteFunc(slices.Clone(s.cfg.Ports), func(o openflow.Port) bool { return o.Number == p.Number })
	if reason != openflow.PortDeleted {
		s.cfg.Ports = append(s.cfg.Ports, p)
	}
	s.broadcast(&openflow.PortStatus{Reason: reason, Port: p})
}

// Send sends a message that nobody asked for to all controllers.
func (s *Switch) Send(m openflow.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broadcast(m)
}

func (s *Switch) broadcast(m openflow.Message) {
	for c := range s.conns {
		if c.version != 0 {
			c.send(m, 0)
		}
	}
}

// SendRaw sends any bytes to all controllers.
func (s *Switch) SendRaw(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.write(b)
	}
}

// SetMute makes the switch take messages and answer none, not even echo requests.
func (s *Switch) SetMute(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = on
}

// SetDeaf makes the switch stop reading, so that what is sent to it piles up.
func (s *Switch) SetDeaf(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on && !s.deaf {
		s.deafEnd = make(chan struct{})
	}
	if !on && s.deaf {
		close(s.deafEnd)
	}
	s.deaf = on
}

// SetDelay makes the switch take its time before each message that it reads.
func (s *Switch) SetDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}
