package cli

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/internal/program"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print a script that completes commands, flags and the names of objects",
		Long: `Print a script for a shell that completes commands, flags and the names of the server's objects.

  bash   source <(weft completion bash)                            now; for good, into
         weft completion bash > /etc/bash_completion.d/weft        (needs the package bash-completion)
  zsh    weft completion zsh > "${fpath[1]}/_weft"
  fish   weft completion fish > ~/.config/fish/completions/weft.fish`,
		Example:   "  weft completion bash",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			// The script goes past the escaping of what a server sends: it is ours.
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(a.Out, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(a.Out)
			case "fish":
				return cmd.Root().GenFishCompletion(a.Out, true)
			}
			return exit.New(exit.Usage, fmt.Sprintf("no completion for %q", args[0]))
		},
	}
}

// helpCommand is cobra's, but a topic that does not exist is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Explain a command or a topic",
		Example: "  weft help apply\n  weft help exit-codes",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var words []string
			if about, _, err := cmd.Root().Find(args); err == nil {
				for _, c := range about.Commands() {
					words = append(words, c.Name())
				}
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return exit.New(exit.Usage, fmt.Sprintf("no help for %q", strings.Join(args, " "))).WithTry("weft help")
			}
			return about.Help()
		},
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Print the version of this command",
		Long:              `Print the version of this command. "weft status" shows the controller's.`,
		Example:           "  weft version",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			a.out.Printf("weft %s (%s, %s/%s)\n", program.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
