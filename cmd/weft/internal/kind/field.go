package kind

import (
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Field is something of an object that people set.
type Field struct {
	// Name is the field's name in the API and in files: provider_network_type.
	Name string
	// FlagName is its flag without dashes; empty: Name with dashes for underscores.
	FlagName string
	// Help is half a sentence for the flag's line; Default says what the server takes when the field is not given.
	Help, Default string
	// Ref is the kind of the object that the field names.
	Ref string
	// Values are what it may hold, for completion.
	Values []string
	// None is the word by which files say that a field is there and empty.
	None string
	// Told says that files have the field also when it is empty: left out, the server would choose something.
	Told bool
	// Main is the part that a value without "=" is, for lists of pairs.
	Main string
}

// Flag is the flag's name.
func (f *Field) Flag() string {
	if f.FlagName != "" {
		return f.FlagName
	}
	return dashes(f.Name)
}

func dashes(s string) string { return strings.ReplaceAll(s, "_", "-") }

// metadata describes the metadata block that every object has.
var metadata = (&weftv1.Metadata{}).ProtoReflect().Descriptor()

// metadataField is the name of that block in every object.
const metadataField = "metadata"

// inMetadata says whether the kind's field lives in the metadata block.
func (k *Kind) inMetadata(name string) bool {
	return k.Descriptor().Fields().ByName(protoreflect.Name(name)) == nil
}

// Path is the field's path in the API: metadata.labels.
func (k *Kind) Path(f *Field) string {
	if k.inMetadata(f.Name) {
		return metadataField + "." + f.Name
	}
	return f.Name
}

// Locate returns the message that holds the field of a name, and the field. It makes the metadata block when it is
// missing. A nil descriptor: objects of the kind have no such field.
func (k *Kind) Locate(m Message, name string) (protoreflect.Message, protoreflect.FieldDescriptor) {
	r := m.ProtoReflect()
	if fd := r.Descriptor().Fields().ByName(protoreflect.Name(name)); fd != nil && name != metadataField {
		return r, fd
	}
	if fd := metadata.Fields().ByName(protoreflect.Name(name)); fd != nil {
		return r.Mutable(r.Descriptor().Fields().ByName(metadataField)).Message(), fd
	}
	return nil, nil
}

// Lookup is Locate for reading: it changes nothing.
func (k *Kind) Lookup(m Message, name string) (protoreflect.Message, protoreflect.FieldDescriptor) {
	r := m.ProtoReflect()
	if k.inMetadata(name) {
		r = m.GetMetadata().ProtoReflect()
	}
	return r, r.Descriptor().Fields().ByName(protoreflect.Name(name))
}

// Immutable says whether the API lets the field be given on create only.
func (k *Kind) Immutable(f *Field) bool {
	return k.behaves(f, annotations.FieldBehavior_IMMUTABLE) || k.behaves(f, annotations.FieldBehavior_IDENTIFIER)
}

// Required says whether the API demands the field on create.
func (k *Kind) Required(f *Field) bool { return k.behaves(f, annotations.FieldBehavior_REQUIRED) }

func (k *Kind) behaves(f *Field, b annotations.FieldBehavior) bool {
	_, fd := k.Lookup(k.message, f.Name)
	list, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(list, b)
}

// ReadOnly lists the fields that only the server sets, in the order in which they are shown.
func (k *Kind) ReadOnly() []string {
	var names []string
	for _, fields := range []protoreflect.FieldDescriptors{metadata.Fields(), k.Descriptor().Fields()} {
		for i := range fields.Len() {
			name := string(fields.Get(i).Name())
			if name != metadataField && k.Field(name) == nil {
				names = append(names, name)
			}
		}
	}
	return names
}

var (
	idField          = Field{Name: "id", Help: "UUID to use", Default: "made by the server"}
	nameField        = Field{Name: "name", Help: "name"}
	projectField     = Field{Name: "project_id", FlagName: "project", Help: "project that owns it", Default: "default"}
	descriptionField = Field{Name: "description", Help: "free text"}
	labelsField      = Field{Name: "labels", FlagName: "label", Help: "label"}
)

// Filter chooses objects of a listing.
type Filter struct {
	// Name is the field of the API's list request.
	Name string
	// FlagName is its flag; empty: Name with dashes.
	FlagName string
	Help     string
	// Ref is the kind of the object that the filter names.
	Ref string
	// Value returns what an object holds there; any one that matches is enough.
	Value func(Message) []string
}

// Flag is the filter's flag.
func (f *Filter) Flag() string {
	if f.FlagName != "" {
		return f.FlagName
	}
	return dashes(f.Name)
}

var (
	projectFilter = Filter{Name: "project_id", FlagName: "project", Help: "only this project's",
		Value: func(m Message) []string { return []string{m.GetMetadata().GetProjectId()} }}
	nameFilter = Filter{Name: "name", Help: "only those with exactly this name",
		Value: func(m Message) []string { return []string{m.GetMetadata().GetName()} }}
)

// Column is a column of a listing.
type Column struct {
	Head string
	// Wide columns show with "-o wide" only, narrow ones without it only.
	Wide, Narrow bool
	// ID columns are cut to the first 8 characters of a UUID except with "-o wide".
	ID bool
	// Elide lets the column lose characters when the table would be too wide.
	Elide bool
	// Wrap lets the last column go on in further lines instead.
	Wrap bool
	// Room is how many cells a listing that goes on leaves for values that are not there yet, like a port's host.
	Room int
	// Right aligns numbers.
	Right bool
	// State columns hold a word that has a tone.
	State bool
	// Text is the cell. Names turns the id of an object of a kind into what people call it.
	Text func(m Message, names Names) string
}

// Names turns the id of an object of a kind into its name, or the shortened id when it has none.
type Names func(kind, id string) string
