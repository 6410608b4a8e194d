package fakeswitch

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"reflect"
	"sync"
	"time"

	"github.com/weft-sdn/weft/openflow"
)

// conn is one controller's connection. What is not marked otherwise is under the switch's lock.
type conn struct {
	s       *Switch
	nc      net.Conn
	version openflow.Version // 0 until it is agreed on
	role    openflow.Role
	bundles map[uint32]*bundle
	// tellRole says that the controller wants to know when its role is taken away.
	tellRole bool
	// monitors by id.
	monitors map[uint32]openflow.FlowMonitorRequest

	out struct {
		mu   sync.Mutex
		buf  []byte
		wake chan struct{}
	}
}

func newConn(s *Switch, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, role: openflow.RoleEqual, bundles: map[uint32]*bundle{}, monitors: map[uint32]openflow.FlowMonitorRequest{}}
	c.out.wake = make(chan struct{}, 1)
	return c
}

// run speaks on the connection until it ends.
func (c *conn) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var writer sync.WaitGroup
	writer.Go(func() { c.writeLoop(ctx) })
	defer writer.Wait()
	defer c.nc.Close()
	defer cancel()

	highest := openflow.Version(0)
	for _, v := range c.s.cfg.Versions {
		highest = max(highest, v)
	}
	c.write(openflow.NewHello(c.s.cfg.Versions...).Append(nil, highest, 1))
	r := bufio.NewReaderSize(c.nc, 8<<10)
	for {
		if err := c.s.readWhenAllowed(ctx); err != nil {
			return err
		}
		b, err := readMessage(r)
		if err != nil {
			return err
		}
		if err := c.message(b); err != nil {
			return err
		}
	}
}

// readWhenAllowed waits while the switch is deaf, and as long as it is slow.
func (s *Switch) readWhenAllowed(ctx context.Context) error {
	s.mu.Lock()
	deaf, end, delay := s.deaf, s.deafEnd, s.delay
	s.mu.Unlock()
	var wait <-chan time.Time
	switch {
	case deaf:
	case delay > 0:
		wait, end = time.After(delay), nil
	default:
		return nil
	}
	select {
	case <-wait:
	case <-end:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func readMessage(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(openflow.HeaderLen)
	if err != nil {
		return nil, err
	}
	h, err := openflow.ParseHeader(head)
	if err != nil {
		return nil, err
	}
	b := make([]byte, h.Length)
	_, err = io.ReadFull(r, b)
	return b, err
}

func (c *conn) writeLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.out.wake:
		}
		c.out.mu.Lock()
		b := c.out.buf
		c.out.buf = nil
		c.out.mu.Unlock()
		if _, err := c.nc.Write(b); err != nil {
			c.nc.Close() // which the reader notices
			return
		}
	}
}

func (c *conn) write(b []byte) {
	c.out.mu.Lock()
	c.out.buf = append(c.out.buf, b...)
	c.out.mu.Unlock()
	c.wake()
}

func (c *conn) send(m openflow.Message, xid uint32) {
	c.out.mu.Lock()
	c.out.buf = m.Append(c.out.buf, c.version, xid)
	c.out.mu.Unlock()
	c.wake()
}

func (c *conn) wake() {
	select {
	case c.out.wake <- struct{}{}:
	default:
	}
}

// refuse sends an error about the message b.
func (c *conn) refuse(e *openflow.Error, b []byte, xid uint32) {
	c.send(&openflow.Error{Type: e.Type, Code: e.Code, Experimenter: e.Experimenter, Data: b[:min(len(b), 64)]}, xid)
}

// message takes one message. An error ends the connection.
func (c *conn) message(b []byte) error {
	h, m, err := openflow.Parse(b)
	if err != nil {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		c.refuse(errBadLen, b, h.XID)
		return nil
	}
	if c.s.cfg.Intercept != nil {
		reply, handled := c.s.cfg.Intercept(h, m)
		c.write(reply)
		if handled {
			return nil
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if hello, ok := m.(*openflow.Hello); ok && c.version == 0 {
		c.version, err = openflow.Negotiate(c.s.cfg.Versions, h, hello)
		return err
	}
	if h.Version != c.version {
		return fmt.Errorf("%v in version %v, after %v was agreed on", h.Type, h.Version, c.version)
	}
	if !c.s.mute {
		c.answer(h, m, b)
	}
	return nil
}

// answer does what a message asks for. The caller holds s.mu.
func (c *conn) answer(h openflow.Header, m openflow.Message, b []byte) {
	switch m := m.(type) {
	case *openflow.EchoRequest:
		c.send(&openflow.EchoReply{Data: m.Data}, h.XID)
	case *openflow.Hello, *openflow.EchoReply, *openflow.Error:
	case *openflow.FeaturesRequest:
		c.send(&openflow.FeaturesReply{DatapathID: c.s.cfg.DatapathID, Tables: Tables, Capabilities: 0x4f}, h.XID)
	case *openflow.GetConfigRequest:
		c.send(&openflow.GetConfigReply{}, h.XID)
	case *openflow.BarrierRequest:
		c.s.counts.Barriers++
		c.send(&openflow.BarrierReply{}, h.XID)
	case *openflow.RoleRequest:
		c.roleRequest(m, b, h.XID)
	case *openflow.FlowMod:
		c.flowMod(m, b, h.XID)
	case *openflow.MeterMod:
		if err := c.s.meterMod(m); err != nil {
			c.refuse(err, b, h.XID)
		}
	case *openflow.BundleControl:
		c.bundleControl(m, b, h.XID)
	case *openflow.BundleAdd:
		c.bundleAdd(m, b, h.XID)
	case *openflow.MultipartRequest:
		c.multipart(m, b, h.XID)
	case *openflow.FlowMonitorCancel:
		delete(c.monitors, m.ID)
	case *openflow.SetAsync:
		c.tellRole = m.Mask(openflow.AsyncRoleStatus) != 0
	case *openflow.Experimenter:
		c.experimenter(m, b, h.XID)
	case *openflow.SetConfig, *openflow.PacketOut:
		// Taken, and of no consequence here.
	default:
		c.refuse(errBadType, b, h.XID)
	}
}

func (c *conn) flowMod(m *openflow.FlowMod, b []byte, xid uint32) {
	c.s.counts.FlowMods++
	if c.role == openflow.RoleSlave {
		c.refuse(errSlave, b, xid)
		return
	}
	t := &transaction{s: c.s, c: c}
	err := c.s.check(m)
	if err == nil {
		err = t.apply(m, xid, c.version)
	}
	if err != nil {
		c.refuse(err, b, xid)
		return
	}
	t.finish()
}

// experimenter knows the Nicira message that asks for role-status in OpenFlow 1.3, and those that make the switch forget
// connections, of which it has none.
func (c *conn) experimenter(m *openflow.Experimenter, b []byte, xid uint32) {
	if openflow.IsCTFlush(m) {
		c.s.counts.Forgotten++
		return
	}
	if !reflect.DeepEqual(m, openflow.TellRoleStatus(openflow.V13)) {
		c.refuse(errBadType, b, xid)
		return
	}
	c.tellRole = true
}

// roleRequest is OpenFlow 1.3.5, 6.3.4: one master at most, and no request older than one that was obeyed.
func (c *conn) roleRequest(m *openflow.RoleRequest, b []byte, xid uint32) {
	s := c.s
	if m.Role == openflow.RoleMaster || m.Role == openflow.RoleSlave {
		if s.generated && int64(m.GenerationID-s.generation) < 0 {
			c.refuse(errStale, b, xid)
			return
		}
		s.generation, s.generated = m.GenerationID, true
	}
	if m.Role == openflow.RoleMaster {
		for o := range s.conns {
			if o != c && o.role == openflow.RoleMaster {
				o.role = openflow.RoleSlave
				if o.tellRole {
					o.send(&openflow.RoleStatus{Role: openflow.RoleSlave, GenerationID: m.GenerationID}, 0)
				}
			}
		}
	}
	if m.Role != openflow.RoleNoChange {
		c.role = m.Role
	}
	generation := s.generation
	if !s.generated {
		generation = openflow.Unknown
	}
	c.send(&openflow.RoleReply{RoleState: openflow.RoleState{Role: c.role, ShortID: m.ShortID, GenerationID: generation}}, xid)
}
