package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func (a *app) createCommand() *cobra.Command {
	examples := map[*kind.Kind]string{
		kind.Network: `  weft create network blue
  weft create network blue --provider-network-type vxlan --provider-segmentation-id 100 --mtu 1450
  weft create network lab --provider-network-type vlan --provider-physical-network physnet1 --l2-population=false
  weft create network public --provider-network-type flat --provider-physical-network physnet1 --external`,
		kind.Subnet: `  weft create subnet blue-v4 --network blue --cidr 10.0.1.0/24
  weft create subnet blue-v4 --network blue --cidr 10.0.1.0/24 --gateway-ip none --allocation-pool start=10.0.1.10,end=10.0.1.99
  weft create subnet blue-v4 --network blue --cidr 10.0.1.0/24 --dns 10.0.1.53 --host-route destination=10.9.0.0/16,nexthop=10.0.1.9`,
		kind.Port: `  weft create port vm1 --network blue
  weft create port vm1 --network blue --fixed-ip 10.0.1.5 --binding-host-id compute1
  weft create port vm1 --network blue --fixed-ip subnet=blue-v4,ip-address=10.0.1.5 --mac-address fa:16:3e:00:00:05 --device-id 7d3f
  weft create port vm1 --network blue --hostname vm1 --user-data cloud.yaml --public-key me="$(cat ~/.ssh/id_ed25519.pub)"
  weft create port vm1 --network blue --allowed-address 10.0.1.100 --extra-dhcp-opt name=bootfile-name,value=undionly.kpxe`,
		kind.Host: `  weft create host compute3
  weft create host compute3 --role compute --role network --bridge-mapping physnet1=br-ex`,
		kind.Router: `  weft create router edge --external-gateway public --interface blue-v4 --interface red-v4
  weft create router edge --centralized --external-gateway public --external-fixed-ip 203.0.113.2 --disable-snat
  weft create router edge --route destination=192.168.0.0/16,nexthop=10.0.1.9`,
		kind.FloatingIP: `  weft create floatingip --network public
  weft create fip web --network public --floating-ip-address 203.0.113.7 --port vm1`,
		kind.PortForwarding: `  weft create portforwarding --floatingip 203.0.113.7 --protocol tcp --external-port 2222 --port vm1 --internal-port 22
  weft create pf --floatingip 203.0.113.7 --protocol udp --external-port-range 8000:8010 --port vm1 --internal-port-range 9000:9010`,
		kind.SecurityGroup: `  weft create securitygroup web
  weft create sg loose --stateless`,
		kind.SecurityGroupRule: `  weft create sgrule --group web --ingress --protocol tcp --dst-port 80:90 --remote-ip 0.0.0.0/0
  weft create sgrule --group web --ingress --protocol icmp --icmp-type 8 --icmp-code 0
  weft create sgrule --group db --ingress --protocol tcp --dst-port 5432 --remote-group web
  weft create sgrule --group db --egress --ethertype IPv6 --remote-address-group office`,
		kind.AddressGroup: `  weft create addressgroup office --address 192.0.2.0/24 --address 2001:db8::1`,
		kind.QosPolicy: `  weft create qospolicy gold --rule type=bandwidth_limit,max_kbps=10000 --rule type=bandwidth_limit,direction=ingress,max_kbps=20000
  weft create qospolicy calls --rule type=dscp_marking,dscp_mark=46 --rule type=packet_rate_limit,max_kpps=5`,
	}
	return perKind(&cobra.Command{
		Use:   "create",
		Short: "Make one object",
		Long:  "Make one object. Fields that are not given are chosen by the server.",
	}, func(k *kind.Kind) *cobra.Command { return a.createKind(k, examples[k]) })
}

func (a *app) createKind(k *kind.Kind, example string) *cobra.Command {
	object := k.New()
	cmd := &cobra.Command{
		Use:               fmt.Sprintf("%s [NAME]", k.Name),
		Short:             "Make " + k.About,
		Example:           example,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	if k.NamedByID {
		cmd.Use = fmt.Sprintf("%s NAME", k.Name)
		cmd.Args = cobra.ExactArgs(1)
	}
	load := a.fieldFlags(cmd, k, object, false, func(f *kind.Field) bool { return f.Name == positional(k) })
	var rule *ruleFlags
	if r, ok := object.(*weftv1.SecurityGroupRule); ok {
		rule = newRuleFlags(cmd, r, false)
	}
	dry := dryRunFlag(cmd.Flags())
	format := formatFlag(cmd, sentence, "table", "wide", "json", "yaml", "name")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		if err := load(); err != nil {
			return err
		}
		if rule != nil {
			if err := rule.take(rule.rule.GetProtocol()); err != nil {
				return err
			}
		}
		if len(args) == 1 {
			if err := k.SetFlag(object, k.Field(positional(k)), args[0]); err != nil {
				return err
			}
		}
		var empty []string
		for i := range k.Fields {
			f := &k.Fields[i]
			if holder, fd := k.Lookup(object, f.Name); f.Told && f.Given(cmd.Flags().Changed) && !holder.Has(fd) {
				empty = append(empty, k.Path(f))
			}
		}
		made, err := c.Create(ctx, k, object, empty, *dry)
		if err != nil {
			return err
		}
		if *format != sentence {
			return a.print(ctx, c, k, []kind.Message{made}, *format, true)
		}
		more := ""
		if !k.NamedByID && !*dry {
			more = fmt.Sprintf("(id %s)", made.GetMetadata().GetId())
		}
		a.did(k, kind.Ref(made), "created", *dry, more)
		return nil
	})
	return cmd
}

func (a *app) setCommand() *cobra.Command {
	examples := map[*kind.Kind]string{
		kind.Network: `  weft set network blue --mtu 9000
  weft set network blue --name azure --etag 12ab`,
		kind.Subnet: `  weft set subnet blue-v4 --gateway-ip none
  weft set subnet blue-v4 --no-dhcp
  weft set subnet blue-v4 --allocation-pool start=10.0.1.10,end=10.0.1.99 --allocation-pool start=10.0.1.200,end=10.0.1.250`,
		kind.Port: `  weft set port vm1 --admin-state-up=false
  weft set port vm1 --fixed-ip 10.0.1.5 --fixed-ip 10.0.1.6
  weft set port vm1 --device-id "" --label none`,
		kind.Host: `  weft set host compute3 --tunnel-ip 192.0.2.13
  weft set host compute3 --bridge-mapping physnet1=br-ex --bridge-mapping physnet2=br-ex2
  weft set host network1 --drain`,
		kind.Router: `  weft set router edge --disable-snat
  weft set router edge --centralized
  weft set router edge --route destination=192.168.0.0/16,nexthop=10.0.1.9 --route destination=192.168.0.0/16,nexthop=10.0.1.10`,
		kind.FloatingIP: `  weft set floatingip 203.0.113.7 --port vm2
  weft set fip 203.0.113.7 --description "the shop"`,
		kind.PortForwarding: `  weft set portforwarding ssh --internal-port 2022`,
		kind.SecurityGroup:  `  weft set securitygroup web --name shop`,
		kind.SecurityGroupRule: `  weft set sgrule ssh --remote-ip 192.0.2.0/24
  weft set sgrule ssh --dst-port 22:23
  weft set sgrule ssh --protocol gre --dst-port none`,
		kind.AddressGroup: `  weft set addressgroup office --address 192.0.2.0/24 --address 198.51.100.0/24`,
		kind.QosPolicy:    `  weft set qospolicy gold --rule type=bandwidth_limit,max_kbps=20000`,
	}
	return perKind(&cobra.Command{
		Use:   "set",
		Short: "Change fields of one object",
		Long: `Change fields of one object: those whose flags are given, and no others. An empty value ("") clears a text;
"none" empties a list, and clears a number that may be missing, such as a port.`,
	}, func(k *kind.Kind) *cobra.Command { return a.setKind(k, examples[k]) })
}

func (a *app) setKind(k *kind.Kind, example string) *cobra.Command {
	object := k.New()
	cmd := &cobra.Command{
		Use:               fmt.Sprintf("%s %s", k.Name, strings.ToUpper(k.Name)),
		Short:             fmt.Sprintf("Change fields of one %s", k.Name),
		Example:           example,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: firstArg(a.objectNames(k)),
	}
	load := a.fieldFlags(cmd, k, object, true, func(f *kind.Field) bool { return f.Name == "id" })
	var rule *ruleFlags
	if r, ok := object.(*weftv1.SecurityGroupRule); ok {
		rule = newRuleFlags(cmd, r, true)
	}
	for i := range k.Fields {
		// The server says best why these cannot be changed.
		if f := &k.Fields[i]; k.Immutable(f) && f.Name != "id" {
			cmd.Flags().Lookup(f.Flag()).Hidden = true
		}
	}
	dry := dryRunFlag(cmd.Flags())
	etag := etagFlag(cmd.Flags())
	format := formatFlag(cmd, sentence, "table", "wide", "json", "yaml", "name")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		if err := load(); err != nil {
			return err
		}
		var paths []string
		for i := range k.Fields {
			if f := &k.Fields[i]; f.Given(cmd.Flags().Changed) {
				paths = append(paths, k.Path(f))
			}
		}
		if rule != nil {
			protocol, err := rule.protocolOf(ctx, c, args[0])
			if err != nil {
				return err
			}
			if err := rule.take(protocol); err != nil {
				return err
			}
			paths = append(paths, rule.paths()...)
		}
		if len(paths) == 0 {
			return exit.New(exit.Usage, "nothing to change: give at least one field").WithTry(cmd.CommandPath() + " --help")
		}
		// The block may not be there yet.
		k.Locate(object, "id")
		object.GetMetadata().Id = k.Ref(args[0])
		object.GetMetadata().Etag = *etag
		changed, err := c.Update(ctx, k, object, paths, *dry)
		if err != nil {
			return stranded(err, k, paths)
		}
		if *format != sentence {
			return a.print(ctx, c, k, []kind.Message{changed}, *format, true)
		}
		a.did(k, kind.Ref(changed), "updated", *dry, "")
		return nil
	})
	return cmd
}

// stranded adds to a refusal the flags that empty what the object has and may not keep with the new values of the fields of
// the paths.
func stranded(err error, k *kind.Kind, paths []string) error {
	e := exit.From(err)
	var flags []string
	for _, path := range paths {
		f := k.Field(path)
		if f == nil {
			continue
		}
		for _, field := range slices.Sorted(maps.Keys(f.Strands)) {
			if slices.Contains(e.Fields, field) && !slices.Contains(paths, field) && !slices.Contains(flags, f.Strands[field]) {
				flags = append(flags, f.Strands[field])
			}
		}
	}
	if len(flags) > 0 && e.Try == "" {
		e.Try = "the same with " + strings.Join(flags, " ")
	}
	return e
}

func (a *app) deleteCommand() *cobra.Command {
	return perKind(&cobra.Command{
		Use:   "delete",
		Short: "Remove objects",
		Long: `Remove objects, one after the other. What is in use is refused, with the users; the others are removed all the
same, and the exit code tells that not all were.`,
	}, a.deleteKind)
}

func (a *app) deleteKind(k *kind.Kind) *cobra.Command {
	cmd := &cobra.Command{
		Use:               fmt.Sprintf("%s %s...", k.Name, strings.ToUpper(k.Name)),
		Short:             fmt.Sprintf("Remove %s", k.Plural),
		Example:           fmt.Sprintf("  weft delete %s a\n  weft delete %s a b c --dry-run", k.Name, k.Name),
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.objectNames(k),
	}
	dry := dryRunFlag(cmd.Flags())
	etag := etagFlag(cmd.Flags())
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, args []string) error {
		if *etag != "" && len(args) > 1 {
			return exit.New(exit.Usage, "--etag is one object's: delete the objects one by one")
		}
		var errs []error
		for _, ref := range args {
			if err := c.Delete(ctx, k, ref, *etag, *dry); err != nil {
				errs = append(errs, err)
				continue
			}
			a.did(k, k.Ref(ref), "deleted", *dry, "")
		}
		return exit.Join(errs)
	})
	return cmd
}
