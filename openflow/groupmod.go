package openflow

import (
	"encoding/binary"
	"fmt"
)

// GroupCommand says what a group-mod does.
type GroupCommand uint16

// Group-mod commands (OpenFlow 1.5.1, 7.3.4.4); the bucket commands are of 1.5.
const (
	GroupAdd          GroupCommand = 0
	GroupModify       GroupCommand = 1
	GroupDelete       GroupCommand = 2
	GroupInsertBucket GroupCommand = 3
	GroupRemoveBucket GroupCommand = 5
	// GroupAddOrModify is Open vSwitch's, in all versions.
	GroupAddOrModify GroupCommand = 0x8000
)

// GroupType says how a group uses its buckets.
type GroupType uint8

// Group types.
const (
	GroupTypeAll      GroupType = 0
	GroupTypeSelect   GroupType = 1
	GroupTypeIndirect GroupType = 2
	GroupTypeFailover GroupType = 3
)

// Bucket ids that stand for others, in bucket commands.
const (
	BucketFirst uint32 = 0xfffffffd
	BucketLast  uint32 = 0xfffffffe
	BucketAll   uint32 = 0xffffffff
)

// Bucket is one list of actions of a group.
type Bucket struct {
	// ID is said in OpenFlow 1.5 only.
	ID uint32
	// Weight is the relative share in a select group.
	Weight uint16
	// WatchPort and WatchGroup make a failover group's bucket live; PortAny and GroupAny are none.
	WatchPort, WatchGroup uint32
	Actions               []Action
	// Properties are those of OpenFlow 1.5 as received. When nil, Append makes them from Weight and the watches.
	Properties []byte
}

// Properties of a bucket (OpenFlow 1.5.1, 7.3.4.4).
const (
	bucketWeight     = 0
	bucketWatchPort  = 1
	bucketWatchGroup = 2
)

func (k *Bucket) append(b []byte, v Version) []byte {
	start := len(b)
	if v < V15 {
		b = appendU16(appendZeros(b, 2), k.Weight)
		b = appendZeros(appendU32(appendU32(b, k.WatchPort), k.WatchGroup), 4)
		b = AppendActions(b, k.Actions, v)
		putLen(b, start, len(b)-start)
		return b
	}
	b = appendU32(appendZeros(b, 4), k.ID)
	b = AppendActions(b, k.Actions, v)
	putLen(b, start+2, len(b)-start-8)
	if k.Properties != nil {
		b = append(b, k.Properties...)
	} else {
		b = k.appendProperties(b)
	}
	putLen(b, start, len(b)-start)
	return b
}

func (k *Bucket) appendProperties(b []byte) []byte {
	if k.Weight != 0 {
		b = appendZeros(appendU16(appendU16(appendU16(b, bucketWeight), 8), k.Weight), 2)
	}
	if k.WatchPort != PortAny {
		b = appendU32(appendU16(appendU16(b, bucketWatchPort), 8), k.WatchPort)
	}
	if k.WatchGroup != GroupAny {
		b = appendU32(appendU16(appendU16(b, bucketWatchGroup), 8), k.WatchGroup)
	}
	return b
}

// parseBuckets decodes buckets until b ends; at is where b begins in its message.
func parseBuckets(b []byte, at int, v Version) ([]Bucket, error) {
	var out []Bucket
	for len(b) > 0 {
		if len(b) < 8 {
			return nil, fmt.Errorf("bucket at byte %d: %w", at, errShort)
		}
		n := int(binary.BigEndian.Uint16(b))
		if n < 8 || n > len(b) {
			return nil, fmt.Errorf("bucket at byte %d says that it is %d bytes long, of %d", at, n, len(b))
		}
		k, err := parseBucket(b[:n], v)
		if err != nil {
			return nil, fmt.Errorf("bucket at byte %d: %w", at, err)
		}
		out = append(out, k)
		b, at = b[n:], at+n
	}
	return out, nil
}

func parseBucket(b []byte, v Version) (Bucket, error) {
	c := cursor{b: b}
	c.skip(2)
	k := Bucket{WatchPort: PortAny, WatchGroup: GroupAny}
	var actions []byte
	if v < V15 {
		k.Weight, k.WatchPort, k.WatchGroup = c.u16(), c.u32(), c.u32()
		c.skip(4)
		actions = c.rest()
	} else {
		n := int(c.u16())
		k.ID = c.u32()
		actions = c.take(n)
		at := c.off
		k.Properties = c.rest()
		if err := properties(k.Properties, at, k.property); err != nil {
			return k, err
		}
	}
	if err := c.err(); err != nil {
		return k, err
	}
	var err error
	k.Actions, err = ParseActionList(actions, v)
	return k, err
}

func (k *Bucket) property(typ uint16, value []byte) error {
	if typ > bucketWatchGroup {
		return nil
	}
	if len(value) != 4 {
		return fmt.Errorf("%d bytes of value, not 4", len(value))
	}
	switch typ {
	case bucketWeight:
		k.Weight = binary.BigEndian.Uint16(value)
	case bucketWatchPort:
		k.WatchPort = binary.BigEndian.Uint32(value)
	case bucketWatchGroup:
		k.WatchGroup = binary.BigEndian.Uint32(value)
	}
	return nil
}

// GroupMod adds, changes or removes a group. There is no reply but to a refusal.
type GroupMod struct {
	Command GroupCommand
	Type    GroupType
	GroupID uint32
	// BucketID is what the bucket commands of OpenFlow 1.5 refer to; Open vSwitch wants BucketAll with the others.
	BucketID uint32
	Buckets  []Bucket
	// Properties are those of OpenFlow 1.5, as they came.
	Properties []byte
}

// Append implements Message.
func (m *GroupMod) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU16(appendHeader(b, v, TypeGroupMod, xid), uint16(m.Command))
	b = appendU32(append(b, byte(m.Type), 0), m.GroupID)
	if v >= V15 {
		b = appendU32(appendZeros(b, 4), m.BucketID)
	}
	at := len(b)
	for i := range m.Buckets {
		b = m.Buckets[i].append(b, v)
	}
	if v >= V15 {
		putLen(b, at-8, len(b)-at)
		b = append(b, m.Properties...)
	}
	return finish(b, start)
}

func parseGroupMod(b []byte, v Version) (*GroupMod, error) {
	c := body(b)
	m := &GroupMod{Command: GroupCommand(c.u16()), Type: GroupType(c.u8())}
	c.skip(1)
	m.GroupID = c.u32()
	n := len(c.b)
	if v >= V15 {
		n = int(c.u16())
		c.skip(2)
		m.BucketID = c.u32()
	}
	at := c.off
	buckets := c.take(n)
	if v >= V15 {
		m.Properties = c.rest()
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	var err error
	m.Buckets, err = parseBuckets(buckets, at, v)
	return m, err
}
