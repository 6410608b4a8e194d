package api

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weft-sdn/weft/controller/model"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func (d *door) applyRefused(req *weftv1.ApplyRequest) refusal {
	d.t.Helper()
	before, _ := d.store.Snapshot()
	_, err := d.Apply(d.ctx, req)
	sameState(d.t, before, d.store)
	return refused(d.t, err)
}

func TestApplyTakesObjectsInAnyOrder(t *testing.T) {
	d := openDoor(t, nil)
	objs := []*weftv1.Object{
		port("web", "blue", func(p *weftv1.Port) {
			p.FixedIps, p.BindingHostId = []*weftv1.FixedIP{{SubnetId: "v4"}, {SubnetId: "v6", IpAddress: "fd00::9"}}, "compute1"
		}),
		subnet("v6", "blue", "fd00::/64"), subnet("v4", "blue", "10.0.0.0/24"), network("blue"), host("compute1"),
	}
	res := d.apply(objs...)
	diff(t, "the first time", []string{"created port web", "created subnet v6", "created subnet v4", "created network blue", "created host compute1"}, actions(res))
	p := must[*weftv1.Port](t)(d.GetPort(d.ctx, &weftv1.GetPortRequest{Id: "web"}))
	if p.FixedIps[0].IpAddress != "10.0.0.2" || p.FixedIps[1].IpAddress != "fd00::9" || p.Metadata.Revision != res.Revision {
		t.Errorf("port: %v; revision %d", p, res.Revision)
	}

	slices.Reverse(objs)
	again := d.apply(objs...)
	diff(t, "again, the other way round", []string{"unchanged host compute1", "unchanged network blue", "unchanged subnet v4", "unchanged subnet v6", "unchanged port web"}, actions(again))
	if again.Revision != res.Revision {
		t.Errorf("nothing changed, but the revision: %d after %d", again.Revision, res.Revision)
	}
}

func TestApplyTellsWhatChanged(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(network("blue"), subnet("v4", "blue", "10.0.0.0/24"), port("web", "blue", func(p *weftv1.Port) {
		p.FixedIps, p.Metadata.Labels = []*weftv1.FixedIP{{IpAddress: "10.0.0.7"}}, map[string]string{"tier": "front"}
	}))
	s := must[*weftv1.Subnet](t)(d.GetSubnet(d.ctx, &weftv1.GetSubnetRequest{Id: "v4"}))
	res := d.apply(
		network("blue", func(n *weftv1.Network) { n.Mtu, n.AdminStateUp = 1400, proto.Bool(false) }),
		subnet("v4", "blue", "10.0.0.0/24", func(s *weftv1.Subnet) {
			s.GatewayIp, s.AllocationPools = proto.String("none"), []*weftv1.AllocationPool{{Start: "10.0.0.10", End: "10.0.0.20"}}
		}),
		port("web", "blue", func(p *weftv1.Port) {
			p.FixedIps, p.Metadata.Labels, p.DeviceId = []*weftv1.FixedIP{{IpAddress: "10.0.0.8"}}, map[string]string{"tier": "back", "app": "x"}, "vm1"
		}))
	diff(t, "what changed", []string{
		"updated network blue admin_state_up:true→false mtu:1450→1400",
		`updated subnet v4 gateway_ip:10.0.0.1→ allocation_pools:[{"end":"10.0.0.254","start":"10.0.0.2"}]→[{"end":"10.0.0.20","start":"10.0.0.10"}]`,
		fmt.Sprintf(`updated port web metadata.labels:{"tier":"front"}→{"app":"x","tier":"back"} fixed_ips:[{"ip_address":"10.0.0.7","subnet_id":"%s"}]→[{"ip_address":"10.0.0.8","subnet_id":"%s"}] device_id:→vm1`,
			s.Metadata.Id, s.Metadata.Id),
	}, actions(res))
}

// A mask names what is to be emptied; what it does not name stays, and so does what cannot change.
func TestApplyEmptiesWhatTheMaskNames(t *testing.T) {
	d := openDoor(t, nil)
	masked := func(o *weftv1.Object, paths ...string) *weftv1.Object {
		o.UpdateMask = &fieldmaskpb.FieldMask{Paths: paths}
		return o
	}
	objs := func() []*weftv1.Object {
		return []*weftv1.Object{
			masked(network("blue"), "metadata.name", "metadata.labels", "mtu"),
			masked(port("web", "blue"), "metadata.name", "network_id", "fixed_ips", "metadata.description", "mac_address"),
			masked(port("bare", "blue"), "fixed_ips"),
			masked(subnet("v4", "blue", ""), "network_id", "cidr"),
		}
	}
	d.apply(network("blue", func(n *weftv1.Network) {
		n.Metadata.Labels, n.Metadata.Description, n.Mtu = map[string]string{"a": "b"}, "stays", 1400
	}), subnet("v4", "blue", "10.0.0.0/24"), port("web", "blue", func(p *weftv1.Port) {
		p.FixedIps, p.Metadata.Description, p.DeviceId, p.MacAddress = []*weftv1.FixedIP{{IpAddress: "10.0.0.7"}}, "goes", "stays", "fa:16:3e:00:00:01"
	}))
	s := must[*weftv1.Subnet](t)(d.GetSubnet(d.ctx, &weftv1.GetSubnetRequest{Id: "v4"}))
	diff(t, "the first time", []string{
		`updated network blue metadata.labels:{"a":"b"}→ mtu:1400→1450`,
		fmt.Sprintf(`updated port web metadata.description:goes→ fixed_ips:[{"ip_address":"10.0.0.7","subnet_id":"%s"}]→`, s.Metadata.Id),
		"created port bare", "unchanged subnet v4",
	}, actions(d.apply(objs()...)))
	if p := must[*weftv1.Port](t)(d.GetPort(d.ctx, &weftv1.GetPortRequest{Id: "bare"})); len(p.FixedIps) != 0 {
		t.Errorf("a port that is to have no address has %v", p.FixedIps)
	}
	diff(t, "again", []string{"unchanged network blue", "unchanged port web", "unchanged port bare", "unchanged subnet v4"}, actions(d.apply(objs()...)))
	diff(t, "a mask of what there is not", refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{
		`objects[0].update_mask: "cidr" is no field of a network; valid are metadata.name, metadata.project_id, metadata.description, metadata.labels, ` +
			`admin_state_up, mtu, provider_network_type, provider_physical_network, provider_segmentation_id, l2_population, router_external, port_security_enabled, qos_policy_id`,
		`objects[1].port.mac_address: "x" is not a MAC address: write six pairs of hex digits, e.g. fa:16:3e:00:00:01`}},
		d.applyRefused(&weftv1.ApplyRequest{Objects: []*weftv1.Object{masked(network("pink"), "cidr"), port("p", "pink", func(p *weftv1.Port) { p.MacAddress = "x" })}}))
}

func TestApplyMatchesNamesWhereTheyBelong(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID), withID(network("red"), redID), withID(port("web", "blue"), portID), withID(port("web", "red"), port2ID))
	describe := func(id string) string {
		return must[*weftv1.Port](t)(d.GetPort(d.ctx, &weftv1.GetPortRequest{Id: id})).Metadata.Description
	}
	said := func(what string) func(*weftv1.Port) {
		return func(p *weftv1.Port) { p.Metadata.Description = what }
	}
	res := d.apply(port("web", "red", said("the red one")), port("db", "blue"))
	diff(t, "in their networks", []string{"updated port web metadata.description:→the red one", "created port db"}, actions(res))
	if describe(portID) != "" || describe(port2ID) != "the red one" {
		t.Errorf("descriptions: %q, %q", describe(portID), describe(port2ID))
	}
	diff(t, "without a network", refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{
		fmt.Sprintf(`objects[0].port.metadata.name: "web" could be port "web" (%s), port "web" (%s); give the id`, portID, port2ID)}},
		d.applyRefused(&weftv1.ApplyRequest{Objects: []*weftv1.Object{port("web", "")}}))

	res = d.apply(port("web", "pink"), network("pink"))
	diff(t, "in a network that is new", []string{"created port web", "created network pink"}, actions(res))
	res = d.apply(withID(network("scarlet"), redID), port("web", "scarlet", said("still the red one")))
	diff(t, "in a network that has a new name", []string{"updated network scarlet metadata.name:red→scarlet",
		"updated port web metadata.description:the red one→still the red one"}, actions(res))
	diff(t, "twice, by the network's name and id", refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{
		"objects[1].port.metadata.name: is the same object as objects[0].port"}},
		d.applyRefused(&weftv1.ApplyRequest{Objects: []*weftv1.Object{port("new", "blue"), port("new", blueID)}}))

	res = d.apply(network("blue", func(n *weftv1.Network) { n.Metadata.ProjectId = "acme" }))
	diff(t, "a network of another project", []string{"created network blue"}, actions(res))
	res = d.apply(network("b10e"))
	diff(t, "a name that another's id begins with", []string{"created network b10e"}, actions(res))
	res = d.apply(withID(network("", func(n *weftv1.Network) { n.Mtu = 1300 }), blueID[:8]))
	diff(t, "the beginning of an id", []string{"updated network blue mtu:1450→1300"}, actions(res))
	res = d.apply(withID(network("green"), "6ee00000-0000-4000-8000-000000000001"))
	diff(t, "an id that is new", []string{"created network green"}, actions(res))
	if res.Results[0].Object.Id != "6ee00000-0000-4000-8000-000000000001" {
		t.Errorf("id %s", res.Results[0].Object.Id)
	}
}

func TestApplyIsAllOrNothing(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID), withID(port("web", "blue", func(p *weftv1.Port) { p.MacAddress = "fa:16:3e:00:00:01" }), portID))
	fields := func(v ...string) refusal {
		return refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: v}
	}
	for _, tc := range []struct {
		name string
		req  *weftv1.ApplyRequest
		want refusal
	}{
		{"everything that is wrong with every object, and nothing that follows from it", &weftv1.ApplyRequest{
			Objects: []*weftv1.Object{
				network("fine"),
				subnet("s1", "nwe", "10.0.0.0/24"),
				subnet("s2", "new", "10.0.0.5/24", func(s *weftv1.Subnet) { s.GatewayIp = proto.String("10.0.0") }),
				port("p", "new", func(p *weftv1.Port) {
					p.MacAddress = "fa:16:3e:00:00"
					p.FixedIps = []*weftv1.FixedIP{{SubnetId: "s2"}}
				}),
				network("new", func(n *weftv1.Network) { n.Mtu = 9000 }),
				port("q", "new", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{SubnetId: "s2"}} }),
				{}, {Object: &weftv1.Object_Network{}}, network(""),
				port("twin", "blue", func(p *weftv1.Port) { p.MacAddress = "fa:16:3e:00:00:01" }),
			},
			Deletes: []*weftv1.ObjectRef{{Kind: "vpn", Id: "r"}, {Kind: "port"}},
		}, fields(
			`objects[1].subnet.network_id: network "nwe" does not exist`,
			`objects[2].subnet.cidr: "10.0.0.5/24" has host bits; did you mean 10.0.0.0/24?`,
			`objects[2].subnet.gateway_ip: "10.0.0" is not an IP address: write e.g. 10.0.1.5 or fd00::5`,
			`objects[3].port.mac_address: "fa:16:3e:00:00" is not a MAC address: write six pairs of hex digits, e.g. fa:16:3e:00:00:01`,
			`objects[4].network.mtu: 9000 is too large; at most 1450 fit (underlay MTU 1500 minus 50 for vxlan over IPv4)`,
			`objects[6]: holds no object; set one of addressgroup, floatingip, host, network, port, portforwarding, qospolicy, router, securitygroup, securitygrouprule, subnet`,
			`objects[7].network.metadata: has neither id nor name; give one, so that the object is found again the next time`,
			`objects[8].network.metadata: has neither id nor name; give one, so that the object is found again the next time`,
			fmt.Sprintf(`objects[9].port.mac_address: fa:16:3e:00:00:01 is taken by port "web" (%s)`, portID),
			`deletes[0].kind: "vpn" is no kind of object; choose one of addressgroup, floatingip, host, network, port, portforwarding, qospolicy, router, securitygroup, securitygrouprule, subnet`,
			`deletes[1].id: is missing; give an id or a name`,
		)},
		{"one object twice", &weftv1.ApplyRequest{Objects: []*weftv1.Object{network("x"), network("x"), withID(network("y"), blueID), network("blue")}}, fields(
			"objects[1].network.metadata.name: is the same object as objects[0].network",
			"objects[3].network.metadata.name: is the same object as objects[2].network")},
		{"one object made and deleted, and another replaced by its own name", &weftv1.ApplyRequest{Objects: []*weftv1.Object{network("blue", func(n *weftv1.Network) { n.Mtu = 1300 })},
			Deletes: []*weftv1.ObjectRef{{Kind: "network", Id: "blue"}, {Kind: "port", Name: "web"}, {Kind: "port", Id: portID}}}, fields(
			"deletes[0].id: is the same object as objects[0].network", "deletes[2].id: is the same object as deletes[1]")},
		{"only values that are taken", &weftv1.ApplyRequest{Objects: []*weftv1.Object{network("z"),
			port("twin", "blue", func(p *weftv1.Port) { p.MacAddress = "fa:16:3e:00:00:01" })}},
			refusal{Code: codes.AlreadyExists, Reason: "ALREADY_EXISTS", Resource: "port/" + portID,
				Info:       map[string]string{"field": "objects[1].port.mac_address", "value": "fa:16:3e:00:00:01", "kind": "port", "id": portID},
				Violations: []string{fmt.Sprintf(`objects[1].port.mac_address: fa:16:3e:00:00:01 is taken by port "web" (%s)`, portID)}}},
		{"a delete of what others use", &weftv1.ApplyRequest{Objects: []*weftv1.Object{network("z")}, Deletes: []*weftv1.ObjectRef{{Kind: "network", Name: "blue"}}},
			refusal{Code: codes.FailedPrecondition, Reason: "IN_USE", Info: map[string]string{"kind": "network", "id": blueID, "users": "1"},
				Violations: []string{fmt.Sprintf(`deletes[0]: network %s is in use by port "web" (%s)`, blueID, portID)},
				Users:      []string{fmt.Sprintf(`port/%s: port "web" (%s) uses network %s`, portID, portID, blueID)}}},
		{"a delete of nothing", &weftv1.ApplyRequest{Objects: []*weftv1.Object{network("z")}, Deletes: []*weftv1.ObjectRef{{Kind: "network", Id: "bleu"}}},
			refusal{Code: codes.NotFound, Reason: "NOT_FOUND", Info: map[string]string{"kind": "network", "name": "bleu"}, Resource: "network/bleu",
				Violations: []string{`deletes[0]: network "bleu" does not exist; did you mean "blue"?`}}},
		{"more than can be done together", &weftv1.ApplyRequest{Objects: make([]*weftv1.Object, maxApply+1)}, fields(
			"objects: there are 10001 with the deletes; at most 10000 can be applied together")},
	} {
		t.Run(tc.name, func(t *testing.T) { diff(t, "refusal", tc.want, d.applyRefused(tc.req)) })
	}
}

// What takes the place of something that goes, and what must go after its last user, find their order by themselves.
func TestApplyReplaces(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("old"), blueID), subnet("a", "old", "10.0.0.0/24"), subnet("b", "old", "10.1.0.0/24"),
		withID(port("p", "old", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.0.5"}} }), portID),
		port("q", "old", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.0.6"}} }), host("compute1"))
	for _, step := range []struct {
		name string
		req  *weftv1.ApplyRequest
		want []string
	}{
		{"an address passes from one port to the next", &weftv1.ApplyRequest{Objects: []*weftv1.Object{
			port("q", "old", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.0.5"}} }),
			port("p", "old", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.1.0.5"}} })}},
			[]string{"updated port q", "updated port p"}},
		{"a subnet goes when its last port has another", &weftv1.ApplyRequest{
			Objects: []*weftv1.Object{port("q", "old", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.1.0.6"}} })},
			Deletes: []*weftv1.ObjectRef{{Kind: "subnet", Name: "a"}}},
			[]string{"updated port q", "deleted subnet a"}},
		{"another takes the block of one that goes", &weftv1.ApplyRequest{
			Objects: []*weftv1.Object{port("r", "old", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{SubnetId: "c"}} }), subnet("c", "old", "10.1.0.0/16")},
			Deletes: []*weftv1.ObjectRef{{Kind: "subnet", Name: "b"}, {Kind: "port", Name: "q"}, {Kind: "port", Name: "p"}}},
			[]string{"created port r", "created subnet c", "deleted subnet b", "deleted port q", "deleted port p"}},
		{"everything goes, in the wrong order", &weftv1.ApplyRequest{Deletes: []*weftv1.ObjectRef{
			{Kind: "host", Id: "compute1"}, {Kind: "network", Name: "old"}, {Kind: "subnet", Name: "c"}, {Kind: "port", Name: "r"}}},
			[]string{"deleted host compute1", "deleted network old", "deleted subnet c", "deleted port r"}},
	} {
		res := must[*weftv1.ApplyResponse](t)(d.Apply(d.ctx, step.req))
		for _, r := range res.Results {
			r.Changes = nil
		}
		diff(t, step.name, step.want, actions(res))
	}
}

// A port that asks for any address must not be given the one that the next port asks for.
func TestApplyGivesChoicesLast(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(network("any", func(n *weftv1.Network) {}), network("this", func(n *weftv1.Network) { n.ProviderSegmentationId = 2 }),
		subnet("s", "any", "10.0.0.0/29"), port("any", "any"), port("this", "any", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.0.2"}} }))
	snap, _ := d.store.Snapshot()
	got := map[string]string{}
	for n := range snap.Networks() {
		got["network "+n.Name] = fmt.Sprint(n.SegmentID)
	}
	for p := range snap.Ports() {
		got["port "+p.Name] = p.FixedIPs[0].IP.String()
	}
	diff(t, "who got what", map[string]string{"network any": "1", "network this": "2", "port any": "10.0.0.3", "port this": "10.0.0.2"}, got)
}

func TestApplyOfAThousandObjectsIsOneRevision(t *testing.T) {
	d := openDoor(t, nil)
	objs := []*weftv1.Object{network("blue"), subnet("s", "blue", "10.0.0.0/16")}
	for i := range 998 {
		objs = append(objs, port(fmt.Sprint("p", i), "blue"))
	}
	_, before := d.store.Snapshot()
	res := d.apply(objs...)
	snap, _ := d.store.Snapshot()
	ips := map[string]bool{}
	for p := range snap.Ports() {
		ips[p.FixedIPs[0].IP.String()] = true
		if p.Revision != res.Revision {
			t.Fatalf("port at revision %d of %d", p.Revision, res.Revision)
		}
	}
	if len(ips) != 998 || res.Revision != before+1 {
		t.Errorf("%d addresses; revision %d after %d", len(ips), res.Revision, before)
	}
}

// A host that the agent registered has no project and no roles; Apply of its plain description changes nothing.
func TestApplyOfWhatAgentsRegistered(t *testing.T) {
	d := openDoor(t, nil)
	d.plug("compute1", model.Interface{Name: "tap0", OFPort: 1, IfaceID: portID})
	diff(t, "apply", []string{"unchanged host compute1"}, actions(d.apply(host("compute1"))))
}
