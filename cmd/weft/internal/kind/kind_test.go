package kind

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// A field that the API gains and the table lacks could not be set by anybody.
func TestTableHasAllFieldsOfTheAPI(t *testing.T) {
	for _, k := range All {
		if got, want := k.ReadOnly(), []string{"etag", "generation", "revision", "create_time", "update_time", "status"}; !cmp.Equal(got, want) &&
			!cmp.Equal(append(got, "status"), want) && // a subnet has no status
			!cmp.Equal(slices.DeleteFunc(got, func(name string) bool { return name == "router_id" }), want) { // the router is found
			t.Errorf("%s: fields that are not in the table: %v; besides %v they are to be set by people", k.Name, got, want)
		}
		flags := map[string]string{}
		for i := range k.Fields {
			f := &k.Fields[i]
			if _, fd := k.Lookup(k.New(), f.Name); fd == nil {
				t.Errorf("%s: the API has no field %s", k.Name, f.Name)
				continue
			}
			if other := flags[f.Flag()]; other != "" {
				t.Errorf("%s: --%s is both %s and %s", k.Name, f.Flag(), other, f.Name)
			}
			flags[f.Flag()] = f.Name
			if f.Ref != "" && Find(f.Ref) == nil {
				t.Errorf("%s.%s refers to the unknown kind %s", k.Name, f.Name, f.Ref)
			}
			if f.Help == "" {
				t.Errorf("%s.%s has no help", k.Name, f.Name)
			}
		}
	}
}

func TestAPIHasWhatTheGenericClientCalls(t *testing.T) {
	for _, k := range All {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName("weft.v1." + k.Title() + "Service"))
		if err != nil {
			t.Fatalf("%s: %v", k.Name, err)
		}
		methods := d.(protoreflect.ServiceDescriptor).Methods()
		for method, fields := range map[string][]string{
			"Create" + k.Title(): {k.Name, "validate_only"},
			"Get" + k.Title():    {"id"},
			"Update" + k.Title(): {k.Name, "update_mask", "validate_only"},
			"Delete" + k.Title(): {"id", "etag", "validate_only"},
			"List" + k.Titles():  {"page_token"},
		} {
			m := methods.ByName(protoreflect.Name(method))
			if m == nil {
				t.Errorf("no method %s", method)
				continue
			}
			if method == "List"+k.Titles() {
				for i := range k.Filters {
					fields = append(fields, k.Filters[i].Name)
				}
				for _, name := range []string{k.Plural, "revision", "next_page_token"} {
					if m.Output().Fields().ByName(protoreflect.Name(name)) == nil {
						t.Errorf("the answer of %s has no field %s", method, name)
					}
				}
			}
			if strings.HasPrefix(method, "Create") && slices.ContainsFunc(k.Fields, func(f Field) bool { return f.Told }) {
				fields = append(fields, "create_mask")
			}
			for _, name := range fields {
				if m.Input().Fields().ByName(protoreflect.Name(name)) == nil {
					t.Errorf("the request of %s has no field %s", method, name)
				}
			}
		}
	}
}

func TestWordsAreOneKinds(t *testing.T) {
	seen := map[string]string{}
	for _, k := range All {
		for _, word := range append(k.Aliases(), k.Name) {
			if seen[word] != "" {
				t.Errorf("%q is %s and %s", word, seen[word], k.Name)
			}
			seen[word] = k.Name
			if Find(word) != k {
				t.Errorf("Find(%q) = %v", word, Find(word))
			}
		}
	}
	if k := Find("NETWORKS"); k != Network {
		t.Errorf("Find is not blind to case")
	}
	if k := Find("vpn"); k != nil {
		t.Errorf("Find(vpn) = %v", k.Name)
	}
}

func TestRefCutsItsOwnKindOnly(t *testing.T) {
	for in, want := range map[string]string{"vm1": "vm1", "port/vm1": "vm1", "p/vm1": "vm1", "ports/a/b": "a/b", "network/vm1": "network/vm1", "a/b": "a/b", "": ""} {
		if got := Port.Ref(in); got != want {
			t.Errorf("Ref(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWrapAndUnwrap(t *testing.T) {
	for _, k := range All {
		m := k.New()
		k.Locate(m, "id")
		m.GetMetadata().Id = "x"
		gotKind, got := Unwrap(k.Wrap(m))
		if gotKind != k {
			t.Errorf("%s: unwrapped as %v", k.Name, gotKind)
		}
		if d := cmp.Diff(m, got, protocmp.Transform()); d != "" {
			t.Errorf("%s (-put +got):\n%s", k.Name, d)
		}
	}
	for name, o := range map[string]*weftv1.Object{"nothing": nil, "an empty object": {}} {
		if k, m := Unwrap(o); k != nil || m != nil {
			t.Errorf("%s unwraps to %v, %v", name, k, m)
		}
	}
}

func TestSetFlag(t *testing.T) {
	yes := true
	for name, c := range map[string]struct {
		kind  *Kind
		flags [][2]string
		want  Message
		err   string
	}{
		"every type": {Network, [][2]string{{"name", "a"}, {"labels", "k=v=w"}, {"labels", "empty="}, {"l2_population", "true"}, {"mtu", "1450"}, {"provider_segmentation_id", "0x10"}},
			&weftv1.Network{Metadata: &weftv1.Metadata{Name: "a", Labels: map[string]string{"k": "v=w", "empty": ""}}, L2Population: &yes, Mtu: 1450, ProviderSegmentationId: 16}, ""},
		"pairs": {Port, [][2]string{{"fixed_ips", "10.0.0.1"}, {"fixed_ips", "subnet=s,ip-address=fd00::1"}, {"fixed_ips", "subnet_id=s"}},
			&weftv1.Port{FixedIps: []*weftv1.FixedIP{{IpAddress: "10.0.0.1"}, {SubnetId: "s", IpAddress: "fd00::1"}, {SubnetId: "s"}}}, ""},
		"none empties a list": {Host, [][2]string{{"roles", "compute"}, {"roles", "none"}, {"roles", "network"}},
			&weftv1.Host{Roles: []string{"network"}}, ""},
		"none empties a map": {Host, [][2]string{{"bridge_mappings", "a=b"}, {"bridge_mappings", "none"}}, &weftv1.Host{}, ""},
		"none clears a number that may be missing": {SecurityGroupRule, [][2]string{{"port_range_min", "80"}, {"port_range_min", "none"}, {"port_range_max", "90"}, {"port_range_max", ""}},
			&weftv1.SecurityGroupRule{}, ""},
		"none is no other number":              {Network, [][2]string{{"mtu", "none"}}, nil, `"none" is not a whole number in -2147483648..2147483647`},
		"an empty text":                        {Subnet, [][2]string{{"gateway_ip", ""}}, &weftv1.Subnet{GatewayIp: new(string)}, ""},
		"number too large":                     {Network, [][2]string{{"provider_segmentation_id", "4294967296"}}, nil, `"4294967296" is not a whole number in 0..4294967295`},
		"negative":                             {Network, [][2]string{{"provider_segmentation_id", "-1"}}, nil, `"-1" is not a whole number in 0..4294967295`},
		"not a truth value":                    {Network, [][2]string{{"l2_population", "yes"}}, nil, `"yes" is neither true nor false`},
		"empty pair":                           {Port, [][2]string{{"fixed_ips", ""}}, nil, `"ip-address" has no value`},
		"unknown key":                          {Port, [][2]string{{"fixed_ips", "mac=x"}}, nil, `"mac" is unknown: write subnet=...,ip-address=...`},
		"what the server sets cannot be given": {Router, [][2]string{{"interfaces", "ip-addresses=10.0.0.1"}}, nil, `"ip-addresses" is unknown: write subnet=...,port=...`},
		"an interface": {Router, [][2]string{{"interfaces", "blue-v4"}, {"interfaces", "port=inner"}},
			&weftv1.Router{Interfaces: []*weftv1.RouterInterface{{SubnetId: "blue-v4"}, {PortId: "inner"}}}, ""},
		"a field of a block": {Router, [][2]string{{"external_gateway_info.network_id", "public"}, {"external_gateway_info.enable_snat", "false"}},
			&weftv1.Router{ExternalGatewayInfo: &weftv1.ExternalGatewayInfo{NetworkId: "public", EnableSnat: new(bool)}}, ""},
		"a value with commas": {Port, [][2]string{{"extra_dhcp_opts", "name=6,value=8.8.8.8,8.8.4.4,ip-version=4"}, {"extra_dhcp_opts", "opt-value=a,opt_name=66"}},
			&weftv1.Port{ExtraDhcpOpts: []*weftv1.DHCPOption{{OptName: "6", OptValue: "8.8.8.8,8.8.4.4", IpVersion: 4}, {OptName: "66", OptValue: "a"}}}, ""},
		"a comma where none belongs": {Port, [][2]string{{"fixed_ips", "ip-address=10.0.0.1,10.0.0.2"}}, nil, `"10.0.0.2" is not subnet=...,ip-address=...`},
		"bytes":                      {Port, [][2]string{{"instance.user_data", "#!"}}, &weftv1.Port{Instance: &weftv1.Instance{UserData: []byte("#!")}}, ""},
		"bytes that are no text":     {Port, [][2]string{{"instance.user_data", "base64:/w=="}}, &weftv1.Port{Instance: &weftv1.Instance{UserData: []byte{0xff}}}, ""},
		"bytes that are no code":     {Port, [][2]string{{"instance.user_data", "base64:?"}}, nil, `what follows "base64:" is not base64: illegal base64 data at input byte 0`},
		"a key without name":         {Port, [][2]string{{"labels", "=x"}}, nil, `"=x" is not KEY=VALUE`},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.kind.New()
			var err error
			for _, f := range c.flags {
				if err = c.kind.SetFlag(m, c.kind.Field(f[0]), f[1]); err != nil {
					break
				}
			}
			switch {
			case c.err != "" && (err == nil || err.Error() != c.err):
				t.Errorf("error %v, want %s", err, c.err)
			case c.err == "" && err != nil:
				t.Error(err)
			case c.err == "":
				if d := cmp.Diff(c.want, m, protocmp.Transform()); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			}
		})
	}
}

func TestImmutableIsWhatTheAPISays(t *testing.T) {
	var got []string
	for _, k := range All {
		for i := range k.Fields {
			if f := &k.Fields[i]; k.Immutable(f) {
				got = append(got, k.Name+"."+f.Name)
			}
		}
	}
	for _, want := range []string{"network.id", "network.provider_network_type", "network.provider_physical_network", "network.provider_segmentation_id",
		"subnet.id", "subnet.network_id", "subnet.ip_version", "subnet.cidr", "port.id", "port.network_id", "host.id",
		"floatingip.floating_network_id", "floatingip.floating_ip_address", "portforwarding.floatingip_id"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s can be changed", want)
		}
	}
	if slices.Contains(got, "port.name") || slices.Contains(got, "network.mtu") {
		t.Errorf("too much is immutable: %v", got)
	}
}

func TestIdentity(t *testing.T) {
	meta := func(id, name string) *weftv1.Metadata { return &weftv1.Metadata{Id: id, Name: name} }
	for _, c := range []struct {
		m    Message
		want string
	}{
		{&weftv1.Network{Metadata: meta("i", "n")}, "id i"},
		{&weftv1.Network{Metadata: meta("", "n")}, `name "n" in ""`},
		{&weftv1.Port{Metadata: meta("", "n"), NetworkId: "blue"}, `name "n" in "blue"`},
		{&weftv1.Router{}, ""},
		{&weftv1.FloatingIP{FloatingIpAddress: "203.0.113.7"}, "address 203.0.113.7"},
		{&weftv1.FloatingIP{}, ""},
		{&weftv1.PortForwarding{Metadata: meta("", "n"), FloatingipId: "f"}, `name "n" in "f"`},
		{&weftv1.PortForwarding{FloatingipId: "f", Protocol: "tcp", ExternalPort: 80}, `tcp 80 of "f"`},
		{&weftv1.PortForwarding{FloatingipId: "f", Protocol: "tcp", ExternalPortRange: "1:2"}, `tcp 01:2 of "f"`},
		{&weftv1.PortForwarding{FloatingipId: "f", Protocol: "tcp"}, ""},
	} {
		if got := Identity(c.m); got != c.want {
			t.Errorf("%v: %q, want %q", c.m, got, c.want)
		}
	}
	if got := Ref(&weftv1.FloatingIP{Metadata: meta("i", ""), FloatingIpAddress: "203.0.113.7"}); got != "203.0.113.7" {
		t.Errorf("a floating IP is called %q", got)
	}
}
