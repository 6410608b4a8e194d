package fakeswitch

import "github.com/weft-sdn/weft/openflow"

// bundle is what a controller has put together so far.
type bundle struct {
	flags  uint16
	closed bool
	mods   []bundled
}

type bundled struct {
	mod  *openflow.FlowMod
	wire []byte
	xid  uint32
}

// Codes of OFPET_BUNDLE_FAILED (OpenFlow 1.5.1, 7.5.4.17).
const (
	bundleBadID     = 2
	bundleExists    = 3
	bundleClosed    = 4
	bundleBadType   = 6
	bundleBadFlags  = 7
	bundleBadXID    = 9
	bundleUnsup     = 10
	bundleMsgFailed = 13
)

// bundleError is a bundle error in the connection's version: OpenFlow 1.3 has them as ONF extension.
func (c *conn) bundleError(code uint16) *openflow.Error {
	if c.version == openflow.V13 {
		return &openflow.Error{Type: openflow.ErrorExperimenter, Code: 2300 + code, Experimenter: openflow.ExperimenterONF}
	}
	return &openflow.Error{Type: openflow.ErrorBundleFailed, Code: code}
}

func (c *conn) bundleControl(m *openflow.BundleControl, b []byte, xid uint32) {
	k := c.bundles[m.ID]
	reply := openflow.BundleControl{ID: m.ID, Type: m.Type + 1, Flags: m.Flags}
	switch {
	case m.Type == openflow.BundleOpenRequest && k != nil:
		c.refuse(c.bundleError(bundleExists), b, xid)
		return
	case m.Type != openflow.BundleOpenRequest && k == nil:
		c.refuse(c.bundleError(bundleBadID), b, xid)
		return
	case k != nil && m.Flags != k.flags && m.Type != openflow.BundleDiscardRequest:
		delete(c.bundles, m.ID)
		c.refuse(c.bundleError(bundleBadFlags), b, xid)
		return
	}
	switch m.Type {
	case openflow.BundleOpenRequest:
		c.bundles[m.ID] = &bundle{flags: m.Flags}
	case openflow.BundleCloseRequest:
		k.closed = true
	case openflow.BundleDiscardRequest:
		delete(c.bundles, m.ID)
		c.s.counts.Discards++
	case openflow.BundleCommitRequest:
		delete(c.bundles, m.ID)
		if !c.commit(k) {
			c.refuse(c.bundleError(bundleMsgFailed), b, xid)
			return
		}
	default:
		c.refuse(c.bundleError(bundleBadType), b, xid)
		return
	}
	c.send(&reply, xid)
}

// commit applies a bundle, all or nothing. A flow-mod that was refused when it came is not in it.
func (c *conn) commit(k *bundle) bool {
	t := &transaction{s: c.s, c: c}
	for _, m := range k.mods {
		if err := t.apply(m.mod, m.xid, c.version); err != nil {
			t.rollBack()
			c.refuse(err, m.wire, m.xid)
			return false
		}
	}
	t.finish()
	c.s.counts.Commits++
	return true
}

func (c *conn) bundleAdd(m *openflow.BundleAdd, b []byte, xid uint32) {
	c.s.counts.FlowMods++
	k := c.bundles[m.ID]
	if k == nil { // Open vSwitch opens a bundle at its first message
		k = &bundle{flags: m.Flags}
		c.bundles[m.ID] = k
	}
	h, inner, err := openflow.Parse(m.Message)
	mod, isMod := inner.(*openflow.FlowMod)
	switch {
	case c.role == openflow.RoleSlave:
		c.refuse(errSlave, b, xid)
	case k.closed:
		delete(c.bundles, m.ID)
		c.refuse(c.bundleError(bundleClosed), b, xid)
	case m.Flags != k.flags:
		delete(c.bundles, m.ID)
		c.refuse(c.bundleError(bundleBadFlags), b, xid)
	case h.XID != xid:
		c.refuse(c.bundleError(bundleBadXID), b, xid)
	case err != nil:
		c.refuse(errBadLen, m.Message, xid)
	case !isMod:
		c.refuse(c.bundleError(bundleUnsup), b, xid)
	default:
		if e := c.s.check(mod); e != nil {
			c.refuse(e, m.Message, xid)
			return
		}
		k.mods = append(k.mods, bundled{mod, m.Message, xid})
	}
}
