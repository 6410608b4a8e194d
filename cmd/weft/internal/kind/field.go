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
	// Name is the field's name in the API and in files: provider_network_type. A field of a block has the block's name before
	// its own: external_gateway_info.network_id.
	Name string
	// FlagName is its flag without dashes; empty: Name with dashes for underscores.
	FlagName string
	// Not is the flag that says the opposite, of a field that is true or false (no-dhcp), or that empties a list.
	Not string
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
	// Strands are fields that a new value of this one may not go with, each with the flags that empty it.
	Strands map[string]string
	// Commas is the part whose value may have commas, for lists of pairs.
	Commas string
	// File says that the flag takes the name of a file with the value.
	File bool
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

// Given says whether a flag of the field was given.
func (f *Field) Given(changed func(flag string) bool) bool {
	return changed(f.Flag()) || f.Not != "" && changed(f.Not)
}

// Block is the name of the block that the field is in, and its name there. Fields of no block, and those of the metadata,
// which is not shown as a block, have the block "".
func (f *Field) Block() (block, name string) {
	if block, name, ok := strings.Cut(f.Name, "."); ok {
		return block, name
	}
	return "", f.Name
}

// IsBlock says whether the kind has fields in a block of that name.
func (k *Kind) IsBlock(name string) bool {
	return slices.ContainsFunc(k.Fields, func(f Field) bool {
		block, _ := f.Block()
		return block != "" && block == name
	})
}

// inMetadata says whether the kind's field lives in the metadata block.
func (k *Kind) inMetadata(name string) bool {
	first, _, _ := strings.Cut(name, ".")
	return k.Descriptor().Fields().ByName(protoreflect.Name(first)) == nil
}

// Path is the field's path in the API: metadata.labels.
func (k *Kind) Path(f *Field) string {
	if k.inMetadata(f.Name) {
		return metadataField + "." + f.Name
	}
	return f.Name
}

// Locate returns the message that holds the field of a name, and the field. It makes the block that the field is in when
// it is missing. A nil descriptor: objects of the kind have no such field.
func (k *Kind) Locate(m Message, name string) (protoreflect.Message, protoreflect.FieldDescriptor) {
	return k.walk(m, name, protoreflect.Message.Mutable)
}

// Lookup is Locate for reading: it changes nothing.
func (k *Kind) Lookup(m Message, name string) (protoreflect.Message, protoreflect.FieldDescriptor) {
	return k.walk(m, name, protoreflect.Message.Get)
}

func (k *Kind) walk(m Message, name string, into func(protoreflect.Message, protoreflect.FieldDescriptor) protoreflect.Value) (protoreflect.Message, protoreflect.FieldDescriptor) {
	r := m.ProtoReflect()
	if k.inMetadata(name) {
		if metadata.Fields().ByName(protoreflect.Name(name)) == nil {
			return nil, nil
		}
		name = metadataField + "." + name
	} else if name == metadataField {
		return nil, nil
	}
	for {
		first, rest, more := strings.Cut(name, ".")
		fd := r.Descriptor().Fields().ByName(protoreflect.Name(first))
		switch {
		case fd == nil:
			return nil, nil
		case !more:
			return r, fd
		case fd.Message() == nil || fd.IsList() || fd.IsMap():
			return nil, nil
		}
		r, name = into(r, fd).Message(), rest
	}
}

// Immutable says whether the API lets the field be given on create only.
func (k *Kind) Immutable(f *Field) bool {
	return k.behaves(f, annotations.FieldBehavior_IMMUTABLE) || k.behaves(f, annotations.FieldBehavior_IDENTIFIER)
}

// Required says whether the API demands the field on create.
func (k *Kind) Required(f *Field) bool { return k.behaves(f, annotations.FieldBehavior_REQUIRED) }

func (k *Kind) behaves(f *Field, b annotations.FieldBehavior) bool {
	_, fd := k.Lookup(k.message, f.Name)
	return behaves(fd, b)
}

func behaves(fd protoreflect.FieldDescriptor, b annotations.FieldBehavior) bool {
	list, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(list, b)
}

// ServerSets says whether only the server sets a field.
func ServerSets(fd protoreflect.FieldDescriptor) bool {
	return behaves(fd, annotations.FieldBehavior_OUTPUT_ONLY)
}

// ReadOnly lists the fields that only the server sets, in the order in which they are shown.
func (k *Kind) ReadOnly() []string {
	var names []string
	for _, fields := range []protoreflect.FieldDescriptors{metadata.Fields(), k.Descriptor().Fields()} {
		for i := range fields.Len() {
			name := string(fields.Get(i).Name())
			if name != metadataField && k.Field(name) == nil && !k.IsBlock(name) {
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
	// Title is what the objects are called where those of one Ref are shown; empty: the plural of their kind.
	Title string
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
