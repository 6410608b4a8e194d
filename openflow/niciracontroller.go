package openflow

// Controller sends the packet to the controller, with more to say than Output does.
type Controller struct {
	// MaxLen is how many bytes of the packet are sent, at most; 0xffff is all.
	MaxLen uint16
	// ID is the id of the controller connection; 0 is every one that did not choose an id.
	ID uint16
	// Reason is what the packet-in tells; ReasonAction is the ordinary one.
	Reason uint8
	// UserData comes back in the packet-in.
	UserData string
	// Pause stops the packet until the controller resumes it.
	Pause bool
	// Meter limits the rate; 0 is none.
	Meter uint32
}

// reasonAction is the reason of a packet-in that an action caused (OpenFlow 1.5.1, 7.4.1, OFPR_APPLY_ACTION).
const reasonAction = 1

// packetInReasons are the names that ovs-ofctl gives to reasons.
var packetInReasons = [...]string{"no_match", "action", "invalid_ttl", "action_set", "group", "packet_out"}

// Properties of subtypeController2 (Open vSwitch, lib/ofp-actions.c, NXAC2PT_*).
const (
	controllerMaxLen = iota
	controllerID
	controllerReason
	controllerUserData
	controllerPause
	controllerMeter
)

func (a Controller) String() string { return string(a.appendText(nil)) }

func (a Controller) appendText(b []byte) []byte {
	if a.Reason == reasonAction && a.ID == 0 && !a.second() {
		return appendArg(b, "CONTROLLER:", uint64(a.MaxLen))
	}
	b = append(b, "controller("...)
	if a.Reason != reasonAction {
		b = append(b, "reason="...)
		if int(a.Reason) < len(packetInReasons) {
			b = append(b, packetInReasons[a.Reason]...)
		} else {
			b = appendArg(b, "", uint64(a.Reason))
		}
		b = append(b, ',')
	}
	if a.MaxLen != 0xffff {
		b = append(appendArg(b, "max_len=", uint64(a.MaxLen)), ',')
	}
	if a.ID != 0 {
		b = append(appendArg(b, "id=", uint64(a.ID)), ',')
	}
	if a.UserData != "" {
		b = append(appendDotted(append(b, "userdata="...), a.UserData), ',')
	}
	if a.Pause {
		b = append(b, "pause,"...)
	}
	if a.Meter != 0 {
		b = append(appendArg(b, "meter_id=", uint64(a.Meter)), ',')
	}
	return closeList(b)
}

// second says that the action needs the newer of its two forms.
func (a Controller) second() bool { return a.UserData != "" || a.Pause || a.Meter != 0 }

func (a Controller) appendWire(b []byte, _ Version) []byte {
	if !a.second() {
		return appendNicira16(b, subtypeController, byte(a.MaxLen>>8), byte(a.MaxLen), byte(a.ID>>8), byte(a.ID), a.Reason, 0)
	}
	start := len(b)
	b = appendZeros(appendNicira(b, subtypeController2, 0), 6)
	if a.MaxLen != 0xffff {
		b = append(b, 0, controllerMaxLen, 0, 8, byte(a.MaxLen>>8), byte(a.MaxLen), 0, 0)
	}
	if a.ID != 0 {
		b = append(b, 0, controllerID, 0, 8, byte(a.ID>>8), byte(a.ID), 0, 0)
	}
	if a.Reason != reasonAction {
		b = append(b, 0, controllerReason, 0, 5, a.Reason, 0, 0, 0)
	}
	if a.UserData != "" {
		n := 4 + len(a.UserData)
		b = append(b, 0, controllerUserData, byte(n>>8), byte(n))
		b = appendZeros(append(b, a.UserData...), pad8(n))
	}
	if a.Pause {
		b = append(b, 0, controllerPause, 0, 4, 0, 0, 0, 0)
	}
	if a.Meter != 0 {
		b = appendU32(append(b, 0, controllerMeter, 0, 8), a.Meter)
	}
	return finishAction(b, start)
}

func parseController(c *cursor) Action {
	return Controller{MaxLen: c.u16(), ID: c.u16(), Reason: c.u8()}
}

// parseController2 returns nil if it does not know a property.
func parseController2(c *cursor) Action {
	a := Controller{MaxLen: 0xffff, Reason: reasonAction}
	c.skip(6)
	for len(c.b) > 0 {
		typ, n := c.u16(), int(c.u16())
		if n < 4 {
			return nil
		}
		p := cursor{b: c.take(n - 4)}
		c.skip(pad8(n))
		switch typ {
		case controllerMaxLen:
			a.MaxLen = p.u16()
		case controllerID:
			a.ID = p.u16()
		case controllerReason:
			a.Reason = p.u8()
		case controllerUserData:
			a.UserData = string(p.rest())
		case controllerPause:
			a.Pause = true
		case controllerMeter:
			a.Meter = p.u32()
		default:
			return nil
		}
		if p.short {
			return nil
		}
	}
	return a
}
