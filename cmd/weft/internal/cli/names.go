package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
)

// names turns ids into what people call the objects. What cannot be found out keeps its short id: a listing is not
// refused because an object went away while it was printed.
type names struct {
	ctx    context.Context
	client *client.Client
	known  map[string]string // kind/id → name
	asked  map[string]int    // kind → how many were asked for one by one
}

// listAfter is how many names of a kind are read one by one; then all are read at once.
const listAfter = 4

func newNames(ctx context.Context, c *client.Client) *names {
	return &names{ctx: ctx, client: c, known: map[string]string{}, asked: map[string]int{}}
}

func (n *names) name(kindName, id string) string {
	k := kind.Find(kindName)
	if k == nil || k.NamedByID || id == "" {
		return id
	}
	key := k.Name + "/" + id
	if name, ok := n.known[key]; ok {
		return name
	}
	n.known[key] = shortID(id)
	switch n.asked[k.Name]++; {
	case n.asked[k.Name] <= listAfter:
		if m, err := n.client.Get(n.ctx, k, id); err == nil {
			n.learn(k, m)
		}
	case n.asked[k.Name] == listAfter+1:
		all, _, err := n.client.List(n.ctx, k, nil)
		if err == nil {
			for _, m := range all {
				n.learn(k, m)
			}
		}
	case n.asked[k.Name] > listAfter+1:
		// New since the list was read, or gone.
		if m, err := n.client.Get(n.ctx, k, id); err == nil {
			n.learn(k, m)
		}
	}
	return n.known[key]
}

func (n *names) learn(k *kind.Kind, m kind.Message) {
	id := m.GetMetadata().GetId()
	n.known[k.Name+"/"+id] = shortID(id)
	if name := kind.Ref(m); name != id {
		n.known[k.Name+"/"+id] = name
	}
}

// objectNames completes the names of a kind's objects from the server; unnamed ones, those whose name others have too,
// and those whose name is not one line that prints, by id.
func (a *app) objectNames(k *kind.Kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		c, err := a.dial()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		defer c.Close()
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		objects, _, err := c.List(ctx, k, nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		count := map[string]int{}
		for _, o := range objects {
			count[kind.Ref(o)]++
		}
		var out []string
		for _, o := range objects {
			word := kind.Ref(o)
			if k.NamedByID || count[word] > 1 || screen.Line(word) != word {
				word = o.GetMetadata().GetId()
			}
			out = append(out, word)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// firstArg completes the first argument only.
func firstArg(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, toComplete)
	}
}
