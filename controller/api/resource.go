package api

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// object is an object as the API spells it: *weftv1.Network, Subnet, Port …
type object interface {
	proto.Message
	GetMetadata() *weftv1.Metadata
}

// resource is all that the methods need to know of a kind of object: M is the model's struct, P the API's message.
type resource[M any, P object] struct {
	kind   state.Kind
	fields *fieldSet

	// spell makes the message, without status; read makes the value that a message asks for.
	spell func(*M) P
	read  func(*reading, P) *M
	// status fills in the message's status; nil when the kind has none.
	status func(*sight, *M, P)
	// scope says among which objects a name is looked for when Apply is given no id; nil: all of the kind.
	scope func(*reading, P) func(any) bool
	// same finds the object that Apply is about when it is given neither id nor name, by what of it there can be only once;
	// nil when there is none yet. False: the message does not tell that. Nil: the kind has no such thing.
	same func(*reading, P) (any, bool)
	// chooses says that the server has to choose something for the object that others may ask for by value.
	chooses func(P) bool

	create func(*store.Tx, *M) (*M, error)
	update func(*store.Tx, *M, int64) (*M, error)
	remove func(*store.Tx, string, int64) error
}

// word is the kind as people say it: "network".
func (r *resource[M, P]) word() string { return store.Singular(r.kind) }

// insert makes an object. The error tells all that is wrong with it.
func (r *resource[M, P]) insert(tx *store.Tx, rd *reading, in P) (*M, error) {
	out, err := r.create(tx, r.read(rd, in))
	return out, rd.join(err)
}

// change gives an object the fields of another. The result is old itself when nothing differs.
func (r *resource[M, P]) change(tx *store.Tx, rd *reading, old *M, in P, fields []field) (*M, error) {
	rev := rd.expected("metadata.etag", in.GetMetadata().GetEtag())
	was := r.spell(old)
	want := proto.CloneOf(was)
	overwrite(want, in, fields)
	m := old
	if !proto.Equal(was, want) {
		m = r.read(rd, want)
	}
	out, err := r.update(tx, m, rev)
	return out, rd.join(err)
}

// answer is an object as it stands after a transaction that ended with a revision; 0 when it was rolled back.
func (r *resource[M, P]) answer(sight *sight, m *M, revision int64) P {
	p := r.spell(m)
	if md := p.GetMetadata(); md.Revision == 0 {
		md.Revision, md.Etag = revision, etag(revision)
	}
	if r.status != nil {
		r.status(sight, m, p)
	}
	return p
}

// spellMeta spells what all objects have.
func spellMeta(m *model.Meta) *weftv1.Metadata {
	project := m.ProjectID
	if project == "" {
		project = defaultProject
	}
	return &weftv1.Metadata{
		Id:          m.ID,
		Name:        m.Name,
		ProjectId:   project,
		Description: m.Description,
		Labels:      m.Labels,
		Etag:        etag(m.Revision),
		Generation:  m.Generation,
		Revision:    m.Revision,
		CreateTime:  timestamppb.New(m.CreateTime),
		UpdateTime:  timestamppb.New(m.UpdateTime),
	}
}

// sight is what statuses are derived from: the state at one revision, and the hosts as they are now.
type sight struct {
	state.Snapshot
	revision int64
	fleet    Fleet
}

// wrap puts an object into the message that holds any.
func wrap(p object) *weftv1.Object {
	switch o := p.(type) {
	case *weftv1.Network:
		return &weftv1.Object{Object: &weftv1.Object_Network{Network: o}}
	case *weftv1.Subnet:
		return &weftv1.Object{Object: &weftv1.Object_Subnet{Subnet: o}}
	case *weftv1.Port:
		return &weftv1.Object{Object: &weftv1.Object_Port{Port: o}}
	case *weftv1.Host:
		return &weftv1.Object{Object: &weftv1.Object_Host{Host: o}}
	case *weftv1.Router:
		return &weftv1.Object{Object: &weftv1.Object_Router{Router: o}}
	case *weftv1.FloatingIP:
		return &weftv1.Object{Object: &weftv1.Object_Floatingip{Floatingip: o}}
	case *weftv1.PortForwarding:
		return &weftv1.Object{Object: &weftv1.Object_Portforwarding{Portforwarding: o}}
	case *weftv1.SecurityGroup:
		return &weftv1.Object{Object: &weftv1.Object_Securitygroup{Securitygroup: o}}
	case *weftv1.SecurityGroupRule:
		return &weftv1.Object{Object: &weftv1.Object_Securitygrouprule{Securitygrouprule: o}}
	case *weftv1.AddressGroup:
		return &weftv1.Object{Object: &weftv1.Object_Addressgroup{Addressgroup: o}}
	case *weftv1.QosPolicy:
		return &weftv1.Object{Object: &weftv1.Object_Qospolicy{Qospolicy: o}}
	}
	return &weftv1.Object{}
}

// unwrap takes the object out, and tells its kind; "" when there is none in it.
func unwrap(o *weftv1.Object) (state.Kind, object) {
	switch o := o.GetObject().(type) {
	case *weftv1.Object_Network:
		return state.Networks, o.Network
	case *weftv1.Object_Subnet:
		return state.Subnets, o.Subnet
	case *weftv1.Object_Port:
		return state.Ports, o.Port
	case *weftv1.Object_Host:
		return state.Hosts, o.Host
	case *weftv1.Object_Router:
		return state.Routers, o.Router
	case *weftv1.Object_Floatingip:
		return state.FloatingIPs, o.Floatingip
	case *weftv1.Object_Portforwarding:
		return state.PortForwardings, o.Portforwarding
	case *weftv1.Object_Securitygroup:
		return state.SecurityGroups, o.Securitygroup
	case *weftv1.Object_Securitygrouprule:
		return state.SecurityGroupRules, o.Securitygrouprule
	case *weftv1.Object_Addressgroup:
		return state.AddressGroups, o.Addressgroup
	case *weftv1.Object_Qospolicy:
		return state.QoSPolicies, o.Qospolicy
	}
	return "", nil
}
