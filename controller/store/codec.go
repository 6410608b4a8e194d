package store

import (
	"encoding/json"
	"fmt"
	"strings"

	quick "github.com/goccy/go-json"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Keys in etcd. Objects live at prefix + kind + "/" + key, as JSON of the model's struct.
const (
	prefix = "/weft/v1/"
	// clockKey is compared and rewritten by every transaction; its value names the transaction.
	clockKey = prefix + "clock"
	// epochKey holds the last epoch, decimal.
	epochKey = prefix + "epoch"
)

func etcdKey(k state.Kind, key string) string { return prefix + string(k) + "/" + key }

// splitKey takes an object's key apart. ok is false for clock and epoch, which are not objects.
func splitKey(key string) (k state.Kind, rest string, ok bool, err error) {
	if key == clockKey || key == epochKey {
		return "", "", false, nil
	}
	kind, rest, _ := strings.Cut(strings.TrimPrefix(key, prefix), "/")
	if _, known := newObject[state.Kind(kind)]; !known || rest == "" {
		return "", "", false, fmt.Errorf("etcd key %q is not one of this version's: remove it, or run the controller version that wrote it", key)
	}
	return state.Kind(kind), rest, true, nil
}

var newObject = map[state.Kind]func() any{
	state.Networks:   func() any { return new(model.Network) },
	state.Subnets:    func() any { return new(model.Subnet) },
	state.Ports:      func() any { return new(model.Port) },
	state.Hosts:      func() any { return new(model.Host) },
	state.HostFacts:  func() any { return new(model.HostFacts) },
	state.Interfaces: func() any { return new(model.Interface) },
	state.Bindings:   func() any { return new(model.Binding) },
	state.LocalVLANs: func() any { return new(model.LocalVLAN) },
	state.PortStates: func() any { return new(model.PortState) },

	state.Routers:         func() any { return new(model.Router) },
	state.FloatingIPs:     func() any { return new(model.FloatingIP) },
	state.PortForwardings: func() any { return new(model.PortForwarding) },
	state.RouterHosts:     func() any { return new(model.RouterHost) },
	state.Schedules:       func() any { return new(model.Schedule) },
	state.HostHealths:     func() any { return new(model.HostHealth) },
	state.SwitchFacts:     func() any { return new(model.SwitchFacts) },

	state.SecurityGroups:     func() any { return new(model.SecurityGroup) },
	state.SecurityGroupRules: func() any { return new(model.SecurityGroupRule) },
	state.AddressGroups:      func() any { return new(model.AddressGroup) },
	state.GroupSets:          func() any { return new(model.GroupSet) },
	state.QoSPolicies:        func() any { return new(model.QoSPolicy) },
}

// decode reads what encode wrote at that revision. A start decodes everything that there is, and every host waits
// for it: encoding/json takes several times as long.
func decode(k state.Kind, key string, value []byte, revision int64) (any, error) {
	obj := newObject[k]()
	if err := quick.Unmarshal(value, obj); err != nil {
		return nil, fmt.Errorf("etcd key %q holds no %s: %w; restore it from a backup or remove it", etcdKey(k, key), Singular(k), err)
	}
	if got := state.Key(obj); got != key {
		return nil, fmt.Errorf("etcd key %q holds the %s %q; restore it from a backup or remove it", etcdKey(k, key), Singular(k), got)
	}
	if m := meta(obj); m != nil {
		m.Revision = revision
	}
	return obj, nil
}

func encode(obj any) ([]byte, error) {
	b, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("encode a %T: %w", obj, err)
	}
	return b, nil
}

// meta is the object's Meta, or nil for facts and allocations.
func meta(obj any) *model.Meta {
	switch o := obj.(type) {
	case *model.Network:
		return &o.Meta
	case *model.Subnet:
		return &o.Meta
	case *model.Port:
		return &o.Meta
	case *model.Host:
		return &o.Meta
	case *model.Router:
		return &o.Meta
	case *model.FloatingIP:
		return &o.Meta
	case *model.PortForwarding:
		return &o.Meta
	case *model.SecurityGroup:
		return &o.Meta
	case *model.SecurityGroupRule:
		return &o.Meta
	case *model.AddressGroup:
		return &o.Meta
	case *model.QoSPolicy:
		return &o.Meta
	}
	return nil
}

// refTo names an object for an error.
func refTo(k state.Kind, obj any) Ref {
	r := Ref{Kind: k, ID: state.Key(obj)}
	if m := meta(obj); m != nil && m.Name != m.ID {
		r.Name = m.Name
	}
	if f, ok := obj.(*model.FloatingIP); ok && r.Name == "" {
		// People know it by its address.
		r.Name = f.Address.String()
	}
	return r
}
