package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
)

// perKind makes a command such as "get" that has one command below it for each kind.
func perKind(parent *cobra.Command, child func(*kind.Kind) *cobra.Command) *cobra.Command {
	var words, known []string
	for _, k := range kind.All {
		words = append(words, k.Name)
		known = append(known, fmt.Sprintf("%s (%s)", k.Name, k.Short[0]))
		c := child(k)
		c.Aliases = k.Aliases()
		parent.AddCommand(c)
	}
	parent.Use += " KIND"
	parent.Long += "\n\nKinds: " + strings.Join(known, ", ") + "; plurals are understood too."
	parent.Args = cobra.ArbitraryArgs
	parent.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return exit.New(exit.Usage, fmt.Sprintf("%s what? name a kind: %s", cmd.Name(), strings.Join(words, ", "))).WithTry(cmd.CommandPath() + " --help")
		}
		return exit.New(exit.Usage, fmt.Sprintf("%q is not a kind: there are %s", args[0], strings.Join(words, ", "))).WithTry(cmd.CommandPath() + " --help")
	}
	return parent
}

// fieldFlag puts the value of a flag into an object.
type fieldFlag struct {
	kind  *kind.Kind
	field *kind.Field
	into  kind.Message
	// file is the file with the value, of a field that takes one. It is read when the command runs.
	file string
}

func (f *fieldFlag) String() string { return "" }

func (f *fieldFlag) Set(s string) error {
	if f.field.File {
		f.file = s
		return nil
	}
	return f.kind.SetFlag(f.into, f.field, s)
}

// load reads the file, if one was named.
func (f *fieldFlag) load(stdin io.Reader) error {
	if f.file == "" {
		return nil
	}
	b, err := []byte(nil), error(nil)
	if f.file == "-" {
		b, err = io.ReadAll(stdin)
	} else {
		b, err = os.ReadFile(f.file)
	}
	if err != nil {
		return exit.New(exit.Usage, fmt.Sprintf("--%s: %v", f.field.Flag(), err))
	}
	holder, fd := f.kind.Locate(f.into, f.field.Name)
	holder.Set(fd, protoreflect.ValueOfBytes(b))
	return nil
}

// notFlag is the flag that says the opposite of a field that is true or false, or empties another.
type notFlag struct{ *fieldFlag }

func (f notFlag) Set(s string) error {
	is, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", s)
	}
	_, fd := f.kind.Lookup(f.into, f.field.Name)
	switch {
	case fd.Kind() == protoreflect.BoolKind:
		return f.fieldFlag.Set(strconv.FormatBool(!is))
	case !is:
		return nil
	case fd.IsList():
		return f.fieldFlag.Set("none")
	}
	return f.fieldFlag.Set("")
}

func (f notFlag) Type() string { return "bool" }

// Type is the word for the value in the help text.
func (f *fieldFlag) Type() string {
	_, fd := f.kind.Lookup(f.into, f.field.Name)
	switch {
	case f.field.File:
		return "file"
	case fd.IsMap():
		return "key=value"
	case fd.IsList() && fd.Message() != nil:
		return kind.PairForm(fd.Message())
	case fd.Kind() == protoreflect.BoolKind:
		return "bool"
	case f.field.Ref != "":
		return f.field.Ref
	case fd.Kind() == protoreflect.StringKind:
		return "string"
	}
	return "number"
}

// fieldFlags gives a command a flag for each field of the kind that is not left out. Changing says that the command
// changes an object that is there. Load is to be called when the command runs: it reads the files that flags name.
func (a *app) fieldFlags(cmd *cobra.Command, k *kind.Kind, into kind.Message, changing bool, leaveOut func(*kind.Field) bool) (load func() error) {
	var files []*fieldFlag
	for i := range k.Fields {
		f := &k.Fields[i]
		if leaveOut(f) {
			continue
		}
		v := &fieldFlag{kind: k, field: f, into: into}
		if f.File {
			files = append(files, v)
		}
		flag := cmd.Flags().VarPF(v, f.Flag(), "", fieldHelp(k, f, changing))
		if v.Type() == "bool" {
			flag.NoOptDefVal = "true"
		}
		if f.Not != "" {
			cmd.Flags().VarPF(notFlag{v}, f.Not, "", "the opposite of --"+f.Flag()).NoOptDefVal = "true"
			cmd.MarkFlagsMutuallyExclusive(f.Flag(), f.Not)
			complete(cmd, f.Not, cobra.NoFileCompletions)
		}
		switch {
		case f.File:
			// Files are completed by the shell.
		case f.Ref != "":
			complete(cmd, f.Flag(), a.objectNames(kind.Find(f.Ref)))
		case len(f.Values) > 0:
			complete(cmd, f.Flag(), cobra.FixedCompletions(f.Values, cobra.ShellCompDirectiveNoFileComp))
		default:
			complete(cmd, f.Flag(), cobra.NoFileCompletions)
		}
	}
	return func() error {
		for _, f := range files {
			if err := f.load(a.In); err != nil {
				return err
			}
		}
		return nil
	}
}

// fieldHelp is the line of a field's flag.
func fieldHelp(k *kind.Kind, f *kind.Field, changing bool) string {
	_, fd := k.Lookup(k.New(), f.Name)
	help := f.Help
	many := fd.IsList() || fd.IsMap()
	if many {
		help += "; again for each"
	}
	switch {
	case changing && many:
		help += `; replaces all, "none" empties`
	case changing && kind.MayMiss(fd):
		help += `; "none" clears`
	case changing:
	case k.Required(f):
		help += " (required)"
	case f.Default != "":
		help += " (default: " + f.Default + ")"
	}
	return help
}

// complete sets how a flag's value is completed.
func complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // no such flag: a mistake in the lines around the call
	}
}

// positional is the field that stands before the flags: the name, or a host's id.
func positional(k *kind.Kind) string {
	if k.NamedByID {
		return "id"
	}
	return "name"
}

// dryRunFlag is --dry-run.
func dryRunFlag(f *pflag.FlagSet) *bool {
	return f.Bool("dry-run", false, "have the server check everything, and write nothing")
}

// etagFlag is --etag.
func etagFlag(f *pflag.FlagSet) *string {
	return f.String("etag", "", "refuse when the object has changed since it had this etag")
}

// did says what became of an object: port/vm1 created.
func (a *app) did(k *kind.Kind, ref, action string, dry bool, more string) {
	a.out.Printf("%s/%s ", k.Name, ref)
	a.out.Paint(screen.ToneOf(action), action)
	if more != "" {
		a.out.Printf(" %s", more)
	}
	if dry {
		a.out.Printf(" (dry run: nothing was written)")
	}
	a.out.Printf("\n")
}
