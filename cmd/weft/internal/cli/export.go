package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/manifest"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func (a *app) exportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print all objects as a file for apply",
		Long: `Print all objects, as they are at one revision of the store, as YAML that "weft apply" takes. Applied to an empty
controller it makes the same objects again: with their ids, addresses, MAC addresses and segment ids. Ports that Weft makes
itself, for DHCP and the like, are left out: they come with what they were made for.`,
		Example: `  weft export > net.yaml
  weft export --project web`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	project := cmd.Flags().String("project", "", "only this project's objects; hosts belong to no project and are left out")
	complete(cmd, "project", cobra.NoFileCompletions)
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, _ []string) error {
		objects, err := everything(ctx, c)
		if err != nil {
			return err
		}
		leaveOutMade(objects)
		names := map[string]string{}
		for k, list := range objects {
			for _, m := range list {
				if ref := kind.Ref(m); !k.NamedByID && ref != m.GetMetadata().GetId() {
					names[k.Name+"/"+m.GetMetadata().GetId()] = ref
				}
			}
		}
		var docs []*yaml.Node
		for _, k := range kind.All {
			list := objects[k]
			sortObjects(list)
			for _, m := range list {
				if *project != "" && (k == kind.Host || m.GetMetadata().GetProjectId() != *project) {
					continue
				}
				docs = append(docs, manifest.Wanted(m, func(kind, id string) string {
					if name := names[kind+"/"+id]; name != "" {
						return name
					}
					return id
				}))
			}
		}
		if len(docs) == 0 {
			a.err.Printf("no objects\n")
			return nil
		}
		return manifest.WriteYAML(a.out, docs...)
	})
	return cmd
}

// leaveOutMade takes away the ports that Weft makes itself. A router's port on a subnet stays only if it has not the subnet's
// gateway address, by which the router would get it again; then it is as it was before the router had it.
func leaveOutMade(objects map[*kind.Kind][]kind.Message) {
	gateways := map[string]string{}
	for _, m := range objects[kind.Subnet] {
		gateways[m.GetMetadata().GetId()] = m.(*weftv1.Subnet).GetGatewayIp()
	}
	comes := func(p *weftv1.Port) bool {
		return len(p.GetFixedIps()) == 1 && p.FixedIps[0].GetIpAddress() == gateways[p.FixedIps[0].GetSubnetId()]
	}
	made := map[string]bool{}
	objects[kind.Port] = slices.DeleteFunc(objects[kind.Port], func(m kind.Message) bool {
		p := m.(*weftv1.Port)
		if !kind.OfRouter(p) {
			return kind.OfWeft(p)
		}
		made[p.GetMetadata().GetId()] = comes(p)
		p.DeviceId, p.DeviceOwner, p.BindingHostId = "", "", ""
		return comes(p)
	})
	for _, m := range objects[kind.Router] {
		for _, i := range m.(*weftv1.Router).GetInterfaces() {
			if made[i.GetPortId()] {
				i.PortId = ""
			} else {
				i.SubnetId = ""
			}
		}
	}
}

// everything reads all objects at one revision: what a watch from the beginning sends before its first bookmark.
func everything(ctx context.Context, c *client.Client) (map[*kind.Kind][]kind.Message, error) {
	all := errors.New("all objects were read")
	objects := map[*kind.Kind][]kind.Message{}
	ctx, cancel := c.Limit(ctx)
	defer cancel()
	err := c.Watch(ctx, nil, 0, func(error) {}, func(r *weftv1.WatchResponse) error {
		if r.GetType() == "BOOKMARK" {
			return all
		}
		if k, m := kind.Unwrap(r.GetObject()); k != nil {
			objects[k] = append(objects[k], m)
		}
		return nil
	})
	if errors.Is(err, all) {
		return objects, nil
	}
	if err == nil {
		err = ctx.Err()
	}
	return nil, err
}
