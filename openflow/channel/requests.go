package channel

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/weft-sdn/weft/openflow"
)

// Request sends a message and waits for the one that answers it. An error message becomes a *openflow.Error.
func (c *Conn) Request(ctx context.Context, m openflow.Message) (openflow.Message, error) {
	var reply openflow.Message
	xid := c.ops.reserve(1)
	p := c.ops.begin(xid, xid, func(h openflow.Header, b []byte) (bool, error) {
		_, m, err := openflow.Parse(bytes.Clone(b))
		if err != nil {
			return true, err
		}
		if e, ok := m.(*openflow.Error); ok {
			return true, &callerError{e}
		}
		reply = m
		return true, nil
	})
	if err := c.send(ctx, m, xid); err != nil {
		c.ops.forget(p)
		return nil, err
	}
	if err := c.wait(ctx, p); err != nil {
		return nil, err
	}
	return reply, nil
}

// Barrier returns when the switch has done everything that was sent before.
func (c *Conn) Barrier(ctx context.Context) error {
	m, err := c.Request(ctx, &openflow.BarrierRequest{})
	if err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	if _, ok := m.(*openflow.BarrierReply); !ok {
		return fmt.Errorf("barrier: answered by %T", m)
	}
	return nil
}

// ErrStale says that the switch has seen a higher generation id: another controller is master by now.
var ErrStale = errors.New("the switch has a newer master")

// SetRole asks for a role, with a generation id that rises with every change of mastership. ErrStale: the switch has
// seen a higher one. When another controller takes the role away, a role-status goes to Events.
func (c *Conn) SetRole(ctx context.Context, role openflow.Role, generationID uint64) error {
	// Open vSwitch tells of roles only those who ask for it.
	if err := c.send(ctx, openflow.TellRoleStatus(c.version), c.ops.reserve(1)); err != nil {
		return err
	}
	m, err := c.Request(ctx, &openflow.RoleRequest{RoleState: openflow.RoleState{Role: role, ShortID: 0xffff, GenerationID: generationID}})
	var refused *openflow.Error
	if errors.As(err, &refused) && refused.Type == openflow.ErrorRoleRequestFailed && refused.Code == 0 {
		return fmt.Errorf("generation %d: %w", generationID, ErrStale)
	}
	if err != nil {
		return err
	}
	if r, ok := m.(*openflow.RoleReply); !ok || (r.Role != role && role != openflow.RoleNoChange) {
		return fmt.Errorf("role %v asked for, the switch answers %+v", role, m)
	}
	return nil
}

// Multipart sends a request and gives the body of each part of the answer to each, in the channel's reader; the body is
// good until each returns.
func (c *Conn) Multipart(ctx context.Context, t openflow.MultipartType, body []byte, each func([]byte) error) error {
	return c.multipart(ctx, t, body, func(b []byte) error {
		if err := each(b); err != nil {
			return &callerError{err}
		}
		return nil
	})
}

// multipart is Multipart whose each may also find that the peer sends nonsense, which ends the channel.
func (c *Conn) multipart(ctx context.Context, t openflow.MultipartType, body []byte, each func([]byte) error) error {
	xid := c.ops.reserve(1)
	p := c.ops.begin(xid, xid, func(h openflow.Header, b []byte) (bool, error) {
		_, m, err := openflow.Parse(b)
		if err != nil {
			return true, err
		}
		switch m := m.(type) {
		case *openflow.Error:
			m.Data = bytes.Clone(m.Data)
			return true, &callerError{m}
		case *openflow.MultipartReply:
			if m.Type != t {
				return true, fmt.Errorf("a %v request is answered by %v", t, m.Type)
			}
			return !m.More(), each(m.Body)
		}
		return true, fmt.Errorf("a %v request is answered by a %v", t, h.Type)
	})
	req := &openflow.MultipartRequest{Multipart: openflow.Multipart{Type: t, Body: body}}
	if err := c.send(ctx, req, xid); err != nil {
		c.ops.forget(p)
		return err
	}
	return c.wait(ctx, p)
}

// DumpFlows reads all rows that the request chooses, however many parts they come in, and gives them to each in the
// order of arrival. each runs in the channel's reader; the row and its bytes are good until it returns. Its error ends
// the dump and is returned.
func (c *Conn) DumpFlows(ctx context.Context, req openflow.FlowStatsRequest, each func(*openflow.FlowStats) error) error {
	err := c.multipart(ctx, openflow.MultipartFlow, req.Append(nil, c.version), func(body []byte) error {
		return openflow.EachFlowStats(body, c.version, func(s *openflow.FlowStats) error {
			if err := each(s); err != nil {
				return &callerError{err}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("dump flows: %w", err)
	}
	return nil
}

// maxElements bounds what is collected from a peer that does not stop telling: more than there are tables, and than
// ports that a switch can have.
const maxElements = 1 << 17

// list collects all elements of a multipart answer.
func list[T any](ctx context.Context, c *Conn, t openflow.MultipartType, body []byte, parse func([]byte, openflow.Version) (T, int, error)) ([]T, error) {
	var all []T
	err := c.multipart(ctx, t, body, func(b []byte) error {
		part, err := openflow.ParseAll(b, c.version, parse)
		all = append(all, part...)
		if len(all) > maxElements {
			return fmt.Errorf("more than %d elements", maxElements)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%v: %w", t, err)
	}
	return all, nil
}

// PortDescs lists the switch's ports.
func (c *Conn) PortDescs(ctx context.Context) ([]openflow.Port, error) {
	var body []byte
	if c.version >= openflow.V15 {
		body = openflow.AppendNumber(nil, openflow.PortAny)
	}
	return list(ctx, c, openflow.MultipartPortDesc, body, openflow.ParsePort)
}

// TableStats lists the switch's tables with their counters.
func (c *Conn) TableStats(ctx context.Context) ([]openflow.TableStats, error) {
	return list(ctx, c, openflow.MultipartTable, nil, openflow.ParseTableStats)
}

// MeterFeatures asks what meters the switch can make. A switch that knows none may refuse with a *openflow.Error.
func (c *Conn) MeterFeatures(ctx context.Context) (openflow.MeterFeatures, error) {
	var features openflow.MeterFeatures
	err := c.multipart(ctx, openflow.MultipartMeterFeatures, nil, func(b []byte) (err error) {
		features, err = openflow.ParseMeterFeatures(bytes.Clone(b))
		return err
	})
	if err != nil {
		return features, fmt.Errorf("%v: %w", openflow.MultipartMeterFeatures, err)
	}
	return features, nil
}

// MeterConfigs lists the switch's meters.
func (c *Conn) MeterConfigs(ctx context.Context) ([]openflow.MeterConfig, error) {
	return list(ctx, c, openflow.MultipartMeterConfig, openflow.AppendNumber(nil, openflow.MeterAll), openflow.ParseMeterConfig)
}
