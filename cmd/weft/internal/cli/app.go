package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/manifest"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
)

// Env is what a command line sees of the world around it.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	// OutTerminal and ErrTerminal say whether a person looks at Out and Err.
	OutTerminal, ErrTerminal bool
	Getenv                   func(string) string
	// Lab finds the API of the lab that runs on this machine, if one does.
	Lab func() (address string, ok bool)
	// Now is the clock; its location is that of the times that people see.
	Now func() time.Time
}

// Groups of commands in the help text.
const (
	objectsGroup  = "objects"
	filesGroup    = "files"
	questionGroup = "questions"
)

// app is one run of the command line.
type app struct {
	Env
	out, err *screen.Writer

	server  string
	tls     client.TLS
	timeout time.Duration
}

// defaultTimeout limits one call.
const defaultTimeout = 10 * time.Second

// AddTo registers the commands with a root command.
func AddTo(root *cobra.Command, env Env) {
	a := newApp(env)
	root.SetIn(env.In)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddGroup(
		&cobra.Group{ID: objectsGroup, Title: "Objects:"},
		&cobra.Group{ID: filesGroup, Title: "Files:"},
		&cobra.Group{ID: questionGroup, Title: "Questions:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			a.connectionFlags(c.PersistentFlags())
			for _, name := range []string{"tls-ca", "tls-cert", "tls-key"} {
				// The flag was defined two lines above.
				_ = c.MarkPersistentFlagFilename(name)
			}
			root.AddCommand(c)
		}
	}
	add(objectsGroup, a.getCommand(), a.describeCommand(), a.createCommand(), a.setCommand(), a.deleteCommand(),
		a.portCommand(), a.routerCommand(), a.floatingIPCommand())
	add(filesGroup, a.applyCommand(), a.diffCommand(), a.exportCommand())
	add(questionGroup, a.statusCommand(), a.waitCommand(), a.traceCommand(), a.whyCommand(), a.whereCommand(), a.rulesCommand(), a.flowsCommand(), a.explainCommand(), a.driftCommand(),
		a.namespaceCommand(), a.interfacesCommand(), a.eventsCommand())
	root.AddCommand(a.completionCommand(), a.versionCommand(), exitCodesTopic())
	root.SetHelpCommand(helpCommand())
}

func newApp(env Env) *app {
	return &app{Env: env,
		out: screen.New(env.Out, screen.Colour(env.OutTerminal, env.Getenv)),
		err: screen.New(env.Err, screen.Colour(env.ErrTerminal, env.Getenv))}
}

// connectionFlags are those by which a controller is reached.
func (a *app) connectionFlags(f *pflag.FlagSet) {
	f.StringVar(&a.server, "server", "", "controller's API, HOST:PORT or unix:/PATH, or those of several, separated by commas (default: "+client.EnvServer+", else the demo lab that runs here, else "+client.Default+")")
	f.StringVar(&a.tls.CA, "tls-ca", "", "file with the authority that signed the controller's certificate")
	f.StringVar(&a.tls.Cert, "tls-cert", "", "file with our certificate")
	f.StringVar(&a.tls.Key, "tls-key", "", "file with our certificate's key")
	f.BoolVar(&a.tls.Insecure, "insecure", false, "speak without TLS to an address that is not of this machine")
	f.DurationVar(&a.timeout, "timeout", defaultTimeout, "limit of one call")
}

// dial connects to the controller that the flags and the environment name.
func (a *app) dial() (*client.Client, error) {
	if a.timeout <= 0 {
		return nil, exit.New(exit.Usage, "--timeout must be more than 0")
	}
	choice, err := client.Choose(a.server, a.Getenv, a.Lab)
	if err != nil {
		return nil, err
	}
	return client.Dial(choice, a.tls, a.timeout)
}

// run makes a command's RunE of a function that needs the controller.
func (a *app) run(f func(ctx context.Context, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.dial()
		if err != nil {
			return err
		}
		defer c.Close()
		return f(cmd.Context(), c, args)
	}
}

// Main runs the command line and tells how it ended, in words and as the exit code.
func Main(ctx context.Context, root *cobra.Command, env Env, args []string) int {
	ran := false
	each(root, func(c *cobra.Command) {
		if c.HasParent() && c.HasSubCommands() && !c.Runnable() {
			onlyGroups(c)
		}
		if run := c.RunE; run != nil {
			c.RunE = func(cmd *cobra.Command, args []string) error {
				ran = true
				return run(cmd, args)
			}
		}
	})
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exit.Done
	}
	var e *exit.Error
	switch {
	case errors.As(err, &e):
	case ran:
		e = exit.From(err)
	default:
		// Suggestions of cobra have lines of their own.
		text, suggested, any := strings.Cut(err.Error(), "Did you mean this?")
		if text = strings.Join(strings.Fields(text), " "); any {
			text += "; did you mean " + strings.Join(strings.Fields(suggested), " or ") + "?"
		}
		text += nearFlag(cmd, err)
		e = exit.New(exit.Usage, text).WithTry(cmd.CommandPath() + " --help")
		if cmd.HasParent() {
			e.Notes = []string{"usage: " + cmd.UseLine()}
		}
	}
	if ctx.Err() != nil && e.Code == exit.Unknown {
		e = exit.New(exit.Unknown, "interrupted")
	}
	e.Print(newApp(env).err)
	return e.Code
}

// nearFlag suggests the flag that a misspelt one could have meant.
func nearFlag(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return ""
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if name := manifest.Nearest(unknown.GetSpecifiedName(), names); name != "" {
		return "; did you mean --" + name + "?"
	}
	return ""
}

// onlyGroups makes a wrong word after a command that only groups others an error; cobra alone shows the help and is
// content.
func onlyGroups(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return exit.New(exit.Usage, fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())).WithTry(cmd.CommandPath() + " --help")
	}
}

// each visits a command and all below it.
func each(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		each(sub, visit)
	}
}

// exitCodesTopic is "weft help exit-codes".
func exitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exit.Help}
}
