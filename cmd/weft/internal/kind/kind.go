// Package kind is the one table of what the command line knows about each kind of object: how it is called, which fields
// it has, how they are written as flags and in files, and which columns a listing shows. Everything else is generic: a
// new kind, or a new field, is one entry here.
package kind

import (
	"cmp"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Message is an object of the API.
type Message interface {
	proto.Message
	GetMetadata() *weftv1.Metadata
}

// Kind is a kind of object.
type Kind struct {
	// Name and Plural are the words; Short are abbreviations that people may type.
	Name, Plural string
	Short        []string
	// About explains the kind in one sentence.
	About string
	// NamedByID says that the id is the name that people know, as a host's is.
	NamedByID bool
	Fields    []Field
	Filters   []Filter
	Columns   []Column
	message   Message
}

// All lists the kinds in the order in which they are shown.
var All = []*Kind{Network, Subnet, Port, Host, Router, FloatingIP, PortForwarding, SecurityGroup, SecurityGroupRule, AddressGroup, QosPolicy}

// Find returns the kind for a word that a person typed: singular, plural or short. Nil: there is none.
func Find(word string) *Kind {
	word = strings.ToLower(word)
	for _, k := range All {
		if word == k.Name {
			return k
		}
		for _, alias := range k.Aliases() {
			if word == alias {
				return k
			}
		}
	}
	return nil
}

// Of returns the kind of a message. Nil: it is not an object.
func Of(d protoreflect.MessageDescriptor) *Kind {
	for _, k := range All {
		if k.Descriptor().FullName() == d.FullName() {
			return k
		}
	}
	return nil
}

// Aliases are the words beside Name.
func (k *Kind) Aliases() []string { return append([]string{k.Plural}, k.Short...) }

// Title is the name as the API's messages and methods have it: Network.
func (k *Kind) Title() string { return string(k.Descriptor().Name()) }

// Titles is the same for many: Networks.
func (k *Kind) Titles() string {
	if stem, ok := strings.CutSuffix(k.Title(), "y"); ok {
		return stem + "ies"
	}
	return k.Title() + "s"
}

// Descriptor describes the kind's message.
func (k *Kind) Descriptor() protoreflect.MessageDescriptor {
	return k.message.ProtoReflect().Descriptor()
}

// New makes an empty object.
func (k *Kind) New() Message { return k.message.ProtoReflect().New().Interface().(Message) }

// Field returns the field of that name. Nil: there is none that can be set.
func (k *Kind) Field(name string) *Field {
	for i := range k.Fields {
		if k.Fields[i].Name == name {
			return &k.Fields[i]
		}
	}
	return nil
}

// Ref cuts "port/" off "port/vm1", so that what "-o name" prints can be typed. Slashes of other words stay.
func (k *Kind) Ref(s string) string {
	if word, rest, ok := strings.Cut(s, "/"); ok && Find(word) == k {
		return rest
	}
	return s
}

// Wrap puts an object where the API takes any kind.
func (k *Kind) Wrap(m Message) *weftv1.Object {
	o := &weftv1.Object{}
	r := o.ProtoReflect()
	r.Set(r.Descriptor().Fields().ByName(protoreflect.Name(k.Name)), protoreflect.ValueOfMessage(m.ProtoReflect()))
	return o
}

// Unwrap takes it out again. Nil: the object is empty, or of a kind that is newer than this program.
func Unwrap(o *weftv1.Object) (*Kind, Message) {
	if o == nil {
		return nil, nil
	}
	r := o.ProtoReflect()
	fd := r.WhichOneof(r.Descriptor().Oneofs().ByName("object"))
	if fd == nil {
		return nil, nil
	}
	k := Of(fd.Message())
	if k == nil {
		return nil, nil
	}
	return k, r.Get(fd).Message().Interface().(Message)
}

// Ref names an object for people and for requests: by its name, a floating IP else by its address, and any other by its
// id.
func Ref(m Message) string {
	meta := m.GetMetadata()
	f, _ := m.(*weftv1.FloatingIP)
	return cmp.Or(meta.GetName(), f.GetFloatingIpAddress(), meta.GetId())
}

// Identity tells objects of a kind apart by what a file says about them, as the server's Apply does: by id, else by name in
// its scope, else by what of it there can be only once. Empty: there is nothing to tell it by.
func Identity(m Message) string {
	scope := ""
	switch o := m.(type) {
	case interface{ GetNetworkId() string }: // subnets and ports
		scope = o.GetNetworkId()
	case *weftv1.PortForwarding:
		scope = o.GetFloatingipId()
	case *weftv1.SecurityGroupRule:
		scope = o.GetSecurityGroupId()
	}
	if id := m.GetMetadata().GetId(); id != "" {
		return "id " + id
	}
	if name := m.GetMetadata().GetName(); name != "" {
		return fmt.Sprintf("name %q in %q", name, scope)
	}
	switch o := m.(type) {
	case *weftv1.FloatingIP:
		if o.GetFloatingIpAddress() != "" {
			return "address " + o.GetFloatingIpAddress()
		}
	case *weftv1.PortForwarding:
		if scope != "" && o.GetProtocol() != "" && (o.GetExternalPort() != 0 || o.GetExternalPortRange() != "") {
			return fmt.Sprintf("%s %d%s of %q", o.GetProtocol(), o.GetExternalPort(), o.GetExternalPortRange(), scope)
		}
	case *weftv1.SecurityGroupRule:
		if scope != "" && o.GetDirection() != "" {
			return fmt.Sprintf("%s %s %s %s %s%s%s of %q", o.GetDirection(), o.GetEthertype(), o.GetProtocol(), rulePorts(o), o.GetRemoteIpPrefix(),
				o.GetRemoteGroupId(), o.GetRemoteAddressGroupId(), scope)
		}
	}
	return ""
}

// Subject names an object in a message: port "vm1".
func (k *Kind) Subject(ref string) string {
	if ref == "" {
		return k.Name
	}
	return fmt.Sprintf("%s %q", k.Name, ref)
}
