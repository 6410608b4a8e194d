package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
)

func (a *app) getCommand() *cobra.Command {
	examples := map[*kind.Kind]string{
		kind.Network: `  weft get networks
  weft get net blue -o yaml`,
		kind.Subnet: `  weft get subnets --network blue`,
		kind.Port: `  weft get ports
  weft get ports --network blue --host compute1 -o wide
  weft get port vm1 vm2 -w
  weft get p --device-id 7d3f -o name`,
		kind.Host: `  weft get hosts
  weft get h compute1 -o json`,
		kind.Router: `  weft get routers
  weft get routers --host network1
  weft get router edge -o yaml`,
		kind.FloatingIP: `  weft get floatingips --network public
  weft get fip 203.0.113.7 -o wide`,
		kind.PortForwarding: `  weft get portforwardings --floatingip 203.0.113.7`,
		kind.SecurityGroup:  `  weft get securitygroups`,
		kind.SecurityGroupRule: `  weft get sgrules --group web
  weft get sgrules --remote-address-group office`,
		kind.AddressGroup: `  weft get addressgroups -o wide`,
		kind.QosPolicy:    `  weft get qospolicies`,
	}
	return perKind(&cobra.Command{
		Use:   "get",
		Short: "List objects",
		Long: `List objects, by name, id or unique id prefix, or all that the filters let through.

Formats: table (at most 100 columns, long values cut, ids shortened), wide (everything), json and yaml (the API's fields,
flat; what yaml prints can be edited and applied), name (KIND/ID, for scripts).`,
	}, func(k *kind.Kind) *cobra.Command { return a.getKind(k, examples[k]) })
}

func (a *app) getKind(k *kind.Kind, example string) *cobra.Command {
	cmd := &cobra.Command{
		Use:               fmt.Sprintf("%s [%s...]", k.Name, strings.ToUpper(k.Name)),
		Short:             fmt.Sprintf("List %s", k.Plural),
		Example:           example,
		ValidArgsFunction: a.objectNames(k),
	}
	given := make([]string, len(k.Filters))
	for i := range k.Filters {
		f := &k.Filters[i]
		cmd.Flags().StringVar(&given[i], f.Flag(), "", f.Help)
		if f.Ref != "" {
			complete(cmd, f.Flag(), a.objectNames(kind.Find(f.Ref)))
		} else {
			complete(cmd, f.Flag(), cobra.NoFileCompletions)
		}
	}
	format := formatFlag(cmd, "table", "table", "wide", "json", "yaml", "name")
	watch := cmd.Flags().BoolP("watch", "w", false, "go on printing changes, one row each, until interrupted")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		q := query{kind: k, refs: args, filters: map[string]string{}}
		for i, v := range given {
			if v != "" {
				q.filters[k.Filters[i].Name] = v
			}
		}
		if len(q.refs) > 0 && len(q.filters) > 0 {
			return exit.New(exit.Usage, "give either names or filters, not both")
		}
		if *watch {
			return a.watch(ctx, c, q, *format)
		}
		objects, err := q.read(ctx, c)
		if err == nil || len(objects) > 0 {
			if perr := a.printFound(ctx, c, q, objects, *format); perr != nil {
				return perr
			}
		}
		return err
	})
	return cmd
}

// printFound prints what a query found; that it found nothing is a message.
func (a *app) printFound(ctx context.Context, c *client.Client, q query, objects []kind.Message, format string) error {
	if len(objects) == 0 && format != "json" {
		a.err.Printf("no %s%s\n", q.kind.Plural, q.filtered())
		return nil
	}
	return a.print(ctx, c, q.kind, objects, format, len(q.refs) == 1)
}

// query is what "get" asks for: the objects of some names, or those that filters let through.
type query struct {
	kind *kind.Kind
	refs []string
	// filters are fields of the list request.
	filters map[string]string
}

func (q query) filtered() string {
	if len(q.filters) == 0 {
		return ""
	}
	return " that match"
}

// read reads the objects in order of name. With names, it returns those that it found beside the error for the others.
func (q query) read(ctx context.Context, c *client.Client) ([]kind.Message, error) {
	if len(q.refs) == 0 {
		objects, _, err := c.List(ctx, q.kind, q.filters)
		sortObjects(objects)
		return objects, err
	}
	var objects []kind.Message
	var errs []error
	for _, ref := range q.refs {
		m, err := c.Get(ctx, q.kind, ref)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		objects = append(objects, m)
	}
	return objects, exit.Join(errs)
}

func sortObjects(objects []kind.Message) {
	slices.SortFunc(objects, func(x, y kind.Message) int {
		return cmp.Or(strings.Compare(kind.Ref(x), kind.Ref(y)), strings.Compare(x.GetMetadata().GetId(), y.GetMetadata().GetId()))
	})
}
