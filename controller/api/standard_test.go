package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

const (
	blueID  = "b10e0000-0000-4000-8000-000000000001"
	redID   = "4ed00000-0000-4000-8000-000000000002"
	portID  = "90470000-0000-4000-8000-000000000003"
	port2ID = "90471111-0000-4000-8000-000000000004"
)

// withID gives an object an id.
func withID(o *weftv1.Object, id string) *weftv1.Object {
	_, obj := unwrap(o)
	obj.GetMetadata().Id = id
	return o
}

func TestCreateFillsInWhatWasLeftOut(t *testing.T) {
	d := openDoor(t, nil)
	n := must[*weftv1.Network](t)(d.CreateNetwork(d.ctx, &weftv1.CreateNetworkRequest{Network: network("blue").GetNetwork()}))
	s := must[*weftv1.Subnet](t)(d.CreateSubnet(d.ctx, &weftv1.CreateSubnetRequest{Subnet: subnet("s", "blue", "10.0.1.0/24").GetSubnet()}))
	none := must[*weftv1.Subnet](t)(d.CreateSubnet(d.ctx, &weftv1.CreateSubnetRequest{
		Subnet: subnet("s6", "blue", "fd00::/64", func(s *weftv1.Subnet) { s.GatewayIp = proto.String("none") }).GetSubnet()}))
	p := must[*weftv1.Port](t)(d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: port("p", "blue").GetPort()}))
	got := []string{
		n.ProviderNetworkType, fmt.Sprint(n.Mtu, n.ProviderSegmentationId > 0, *n.AdminStateUp, *n.L2Population), n.Metadata.ProjectId,
		fmt.Sprint(s.IpVersion, " ", *s.GatewayIp, " ", s.AllocationPools[0].Start, " ", s.AllocationPools[0].End),
		fmt.Sprintf("%d %q", none.IpVersion, *none.GatewayIp),
		fmt.Sprint(strings.HasPrefix(p.MacAddress, "fa:16:3e:"), len(p.FixedIps), p.NetworkId == n.Metadata.Id, *p.AdminStateUp),
	}
	diff(t, "what was chosen", []string{"vxlan", "1450 true true true", "default", "4 10.0.1.1 10.0.1.2 10.0.1.254", `6 ""`, "true 2 true true"}, got)
	for _, md := range []*weftv1.Metadata{n.Metadata, s.Metadata, p.Metadata} {
		if md.Generation != 1 || md.Revision == 0 || md.Etag == "" || !md.CreateTime.AsTime().Equal(md.UpdateTime.AsTime()) {
			t.Errorf("metadata: %v", md)
		}
	}
	again := must[*weftv1.Port](t)(d.GetPort(d.ctx, &weftv1.GetPortRequest{Id: p.Metadata.Id}))
	diff(t, "the same port, read", p, again)
}

func TestUpdateChangesWhatTheMaskNames(t *testing.T) {
	d := openDoor(t, nil)
	n := func(change func(*weftv1.Network)) *weftv1.Network {
		return withID(network("", change), blueID).GetNetwork()
	}
	for _, tc := range []struct {
		name string
		in   *weftv1.Network
		mask []string
		// want is name, description, mtu, admin_state_up and labels afterwards; the network begins as
		// "blue", "old", 1400, true, {a:1}.
		want string
	}{
		{"no mask: what is set", n(func(n *weftv1.Network) { n.Metadata.Description, n.AdminStateUp = "new", proto.Bool(false) }), nil, "blue new 1400 false map[a:1]"},
		{"no mask and nothing set: nothing", n(func(*weftv1.Network) {}), nil, "blue old 1400 true map[a:1]"},
		{"only what is named, though more is set", n(func(n *weftv1.Network) { n.Metadata.Description, n.Mtu = "new", 1300 }), []string{"mtu"}, "blue old 1300 true map[a:1]"},
		{"named and not set: as if never given", n(func(*weftv1.Network) {}), []string{"mtu", "metadata.labels", "admin_state_up"}, "blue old 1450 true map[]"},
		{"a map is written as a whole", n(func(n *weftv1.Network) { n.Metadata.Labels = map[string]string{"b": "2"} }), []string{"metadata.labels"}, "blue old 1400 true map[b:2]"},
		{"a message stands for all in it", n(func(n *weftv1.Network) { n.Metadata.Name = "azure" }), []string{"metadata"}, "azure  1400 true map[]"},
		{"* is everything, and leaves what cannot change", n(func(n *weftv1.Network) { n.Metadata.Name = "azure" }), []string{"*"}, "azure  1450 true map[]"},
		{"what is output only is passed over", n(func(n *weftv1.Network) { n.Mtu = 1300 }),
			[]string{"mtu", "status", "status.status", "metadata.id", "metadata.etag", "metadata.revision", "metadata.create_time"}, "blue old 1300 true map[a:1]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d.apply(withID(network("blue", func(n *weftv1.Network) {
				n.Metadata.Description, n.Mtu, n.Metadata.Labels = "old", 1400, map[string]string{"a": "1"}
			}), blueID))
			defer d.DeleteNetwork(d.ctx, &weftv1.DeleteNetworkRequest{Id: blueID})
			before := must[*weftv1.Network](t)(d.GetNetwork(d.ctx, &weftv1.GetNetworkRequest{Id: blueID}))
			got := must[*weftv1.Network](t)(d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{Network: tc.in, UpdateMask: &fieldmaskpb.FieldMask{Paths: tc.mask}}))
			if s := fmt.Sprint(got.Metadata.Name, " ", got.Metadata.Description, " ", got.Mtu, " ", *got.AdminStateUp, " ", got.Metadata.Labels); s != tc.want {
				t.Errorf("got  %s\nwant %s", s, tc.want)
			}
			changed := tc.want != "blue old 1400 true map[a:1]"
			if (got.Metadata.Generation == 2) != changed || (got.Metadata.Etag != before.Metadata.Etag) != changed {
				t.Errorf("generation %d, etag %q after %q", got.Metadata.Generation, got.Metadata.Etag, before.Metadata.Etag)
			}
			diff(t, "read again", got, must[*weftv1.Network](t)(d.GetNetwork(d.ctx, &weftv1.GetNetworkRequest{Id: blueID})))
		})
	}
}

// Lists, maps and texts of every kind can be emptied by naming them in the mask.
func TestUpdateEmptiesWhatTheMaskNames(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID), subnet("s", "blue", "10.0.0.0/24", func(s *weftv1.Subnet) {
		s.AllocationPools = []*weftv1.AllocationPool{{Start: "10.0.0.10", End: "10.0.0.20"}}
	}), host("compute1", func(h *weftv1.Host) {
		h.TunnelIp, h.Roles, h.BridgeMappings = "192.0.2.1", []string{"compute"}, map[string]string{"physnet1": "br-ex"}
	}), withID(port("p", "blue", func(p *weftv1.Port) {
		p.FixedIps, p.Metadata.Labels, p.DeviceId, p.BindingHostId = []*weftv1.FixedIP{{IpAddress: "10.0.0.5"}}, map[string]string{"a": "b"}, "vm1", "compute1"
	}), portID))
	mask := func(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }
	p := must[*weftv1.Port](t)(d.UpdatePort(d.ctx, &weftv1.UpdatePortRequest{Port: withID(port("", ""), portID).GetPort(),
		UpdateMask: mask("fixed_ips", "metadata.labels", "device_id", "binding_host_id")}))
	if len(p.FixedIps)+len(p.Metadata.Labels) != 0 || p.DeviceId+p.BindingHostId != "" || p.Metadata.Name != "p" {
		t.Errorf("port: %v", p)
	}
	s := must[*weftv1.Subnet](t)(d.UpdateSubnet(d.ctx, &weftv1.UpdateSubnetRequest{Subnet: withID(subnet("", "", ""), "s").GetSubnet(),
		UpdateMask: mask("allocation_pools")}))
	if len(s.AllocationPools) != 1 || s.AllocationPools[0].Start != "10.0.0.2" || s.AllocationPools[0].End != "10.0.0.254" {
		t.Errorf("the pools are to be what they are when none are given: %v", s)
	}
	h := must[*weftv1.Host](t)(d.UpdateHost(d.ctx, &weftv1.UpdateHostRequest{Host: withID(host("compute1"), "compute1").GetHost(),
		UpdateMask: mask("tunnel_ip", "roles", "bridge_mappings")}))
	if len(h.Roles)+len(h.BridgeMappings) != 0 || h.TunnelIp != "" {
		t.Errorf("host: %v", h)
	}
	made := must[*weftv1.Port](t)(d.UpdatePort(d.ctx, &weftv1.UpdatePortRequest{Port: withID(port("", "blue"), "bare").GetPort(), AllowMissing: true,
		UpdateMask: mask("fixed_ips")}))
	if len(made.FixedIps) != 0 || made.Metadata.Name != "bare" {
		t.Errorf("a port that is made without addresses: %v", made)
	}
}

// What was read can be written back as it is, in every kind, and that changes nothing.
func TestWriteBackWhatWasRead(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(network("blue"), subnet("s", "blue", "10.0.0.0/24"), subnet("s6", "blue", "fd00::/64", func(s *weftv1.Subnet) { s.GatewayIp = proto.String("") }),
		port("p", "blue"), host("compute1", func(h *weftv1.Host) { h.TunnelIp, h.Roles = "192.0.2.1", []string{"compute"} }),
		network("wire", func(n *weftv1.Network) {
			n.ProviderNetworkType, n.ProviderPhysicalNetwork, n.ProviderSegmentationId = "vlan", "physnet1", 7
		}))
	d.plug("compute2")
	_, before := d.store.Snapshot()
	for _, mask := range []*fieldmaskpb.FieldMask{nil, {Paths: []string{"*"}}} {
		for _, n := range must[*weftv1.ListNetworksResponse](t)(d.ListNetworks(d.ctx, &weftv1.ListNetworksRequest{})).Networks {
			diff(t, "network", n, must[*weftv1.Network](t)(d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{Network: n, UpdateMask: mask})))
		}
		for _, s := range must[*weftv1.ListSubnetsResponse](t)(d.ListSubnets(d.ctx, &weftv1.ListSubnetsRequest{})).Subnets {
			diff(t, "subnet", s, must[*weftv1.Subnet](t)(d.UpdateSubnet(d.ctx, &weftv1.UpdateSubnetRequest{Subnet: s, UpdateMask: mask})))
		}
		for _, p := range must[*weftv1.ListPortsResponse](t)(d.ListPorts(d.ctx, &weftv1.ListPortsRequest{})).Ports {
			diff(t, "port", p, must[*weftv1.Port](t)(d.UpdatePort(d.ctx, &weftv1.UpdatePortRequest{Port: p, UpdateMask: mask})))
		}
		for _, h := range must[*weftv1.ListHostsResponse](t)(d.ListHosts(d.ctx, &weftv1.ListHostsRequest{})).Hosts {
			diff(t, "host", h, must[*weftv1.Host](t)(d.UpdateHost(d.ctx, &weftv1.UpdateHostRequest{Host: h, UpdateMask: mask})))
		}
	}
	if _, after := d.store.Snapshot(); after != before {
		t.Errorf("something was written: revision %d after %d", after, before)
	}
}

func TestUpsertCreatesWhatIsMissing(t *testing.T) {
	d := openDoor(t, nil)
	put := func(ref, name string) (*weftv1.Network, error) {
		return d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{AllowMissing: true,
			Network: withID(network(name, func(n *weftv1.Network) { n.Mtu = 1300 }), ref).GetNetwork()})
	}
	byID := must[*weftv1.Network](t)(put(blueID, "blue"))
	if byID.Metadata.Id != blueID || byID.Metadata.Name != "blue" || byID.Mtu != 1300 {
		t.Errorf("by id: %v", byID)
	}
	byName := must[*weftv1.Network](t)(put("red", ""))
	if byName.Metadata.Id == "red" || byName.Metadata.Name != "red" {
		t.Errorf("by name: %v", byName)
	}
	if again := must[*weftv1.Network](t)(put("red", "")); again.Metadata.Id != byName.Metadata.Id || again.Metadata.Generation != 1 {
		t.Errorf("the second time: %v", again.Metadata)
	}
	if _, err := put("green", "grass"); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a name as id, and another name: %v", err)
	}
	h := must[*weftv1.Host](t)(d.UpdateHost(d.ctx, &weftv1.UpdateHostRequest{AllowMissing: true, Host: host("compute1").GetHost()}))
	if h.Metadata.Id != "compute1" {
		t.Errorf("host: %v", h)
	}
}

func TestEtagGuardsEveryWrite(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID))
	old := must[*weftv1.Network](t)(d.GetNetwork(d.ctx, &weftv1.GetNetworkRequest{Id: "blue"}))
	edit := func(etag, description string) error {
		n := withID(network(""), blueID).GetNetwork()
		n.Metadata.Etag, n.Metadata.Description = etag, description
		_, err := d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{Network: n})
		return err
	}
	if err := edit(old.Metadata.Etag, "first"); err != nil {
		t.Fatal(err)
	}
	stale := func(field string) refusal {
		return refusal{Code: codes.Aborted, Reason: "CONFLICT", Info: map[string]string{"kind": "network", "id": blueID},
			Violations: []string{fmt.Sprintf("%s: network %s: was changed since revision %d; read it again", field, blueID, old.Metadata.Revision)}}
	}
	diff(t, "a stale update", stale("metadata.etag"), refused(t, edit(old.Metadata.Etag, "second")))
	diff(t, "a stale update that would change nothing", stale("metadata.etag"), refused(t, edit(old.Metadata.Etag, "first")))
	malformed := func(field string) refusal {
		return refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS",
			Violations: []string{field + `: "not-an-etag" is not an etag: give the one that was read with the object, or none`}}
	}
	wrong := withID(network("", func(n *weftv1.Network) { n.Metadata.Etag, n.Mtu = "not-an-etag", 9000 }), blueID)
	both := malformed("metadata.etag")
	both.Violations = append(both.Violations, "mtu: 9000 is too large; at most 1450 fit (underlay MTU 1500 minus 50 for vxlan over IPv4)")
	diff(t, "an etag that never was one", malformed("metadata.etag"), refused(t, edit("not-an-etag", "second")))
	_, err := d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{Network: wrong.GetNetwork()})
	diff(t, "and something else that is wrong", both, refused(t, err))
	_, err = d.DeleteNetwork(d.ctx, &weftv1.DeleteNetworkRequest{Id: blueID, Etag: "not-an-etag"})
	diff(t, "a delete with an etag that never was one", malformed("etag"), refused(t, err))
	wrong.GetNetwork().Mtu = 1300
	_, err = d.Apply(d.ctx, &weftv1.ApplyRequest{Objects: []*weftv1.Object{wrong}})
	diff(t, "an apply with an etag that never was one", malformed("objects[0].network.metadata.etag"), refused(t, err))
	_, err = d.DeleteNetwork(d.ctx, &weftv1.DeleteNetworkRequest{Id: blueID, Etag: old.Metadata.Etag})
	diff(t, "a stale delete", stale("etag"), refused(t, err))
	_, err = d.Apply(d.ctx, &weftv1.ApplyRequest{Objects: []*weftv1.Object{network("red"), network("blue", func(n *weftv1.Network) { n.Metadata.Etag = old.Metadata.Etag })}})
	diff(t, "a stale apply", stale("objects[1].network.metadata.etag"), refused(t, err))

	now := must[*weftv1.Network](t)(d.GetNetwork(d.ctx, &weftv1.GetNetworkRequest{Id: "blue"}))
	if _, err := d.DeleteNetwork(d.ctx, &weftv1.DeleteNetworkRequest{Id: blueID, Etag: now.Metadata.Etag}); err != nil {
		t.Errorf("a current delete: %v", err)
	}
}

func TestOfTwoUpdatesWithOneEtagExactlyOneWins(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID))
	for round := range 20 {
		before := must[*weftv1.Network](t)(d.GetNetwork(d.ctx, &weftv1.GetNetworkRequest{Id: blueID}))
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() {
				n := withID(network(""), blueID).GetNetwork()
				n.Metadata.Etag, n.Metadata.Description = before.Metadata.Etag, fmt.Sprintf("round %d, writer %d", round, i)
				_, errs[i] = d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{Network: n})
			})
		}
		wg.Wait()
		after := must[*weftv1.Network](t)(d.GetNetwork(d.ctx, &weftv1.GetNetworkRequest{Id: blueID}))
		won := 0
		for i, err := range errs {
			switch {
			case err == nil:
				won++
				if want := fmt.Sprintf("round %d, writer %d", round, i); after.Metadata.Description != want {
					t.Errorf("%q was answered, %q is there", want, after.Metadata.Description)
				}
			case status.Code(err) != codes.Aborted:
				t.Errorf("writer %d: %v", i, err)
			}
		}
		if won != 1 || after.Metadata.Generation != before.Metadata.Generation+1 {
			t.Fatalf("%d won; generation %d after %d", won, after.Metadata.Generation, before.Metadata.Generation)
		}
	}
}

func TestValidateOnlyAnswersAsIfDoneAndWritesNothing(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID), subnet("s", "blue", "10.0.0.0/30"))
	before, rev := d.store.Snapshot()

	p := must[*weftv1.Port](t)(d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: port("p", "blue").GetPort(), ValidateOnly: true}))
	if p.Metadata.Id != "" || p.Metadata.Etag != "" || p.FixedIps[0].IpAddress != "10.0.0.2" || p.Status.Status != "DOWN" {
		t.Errorf("create: %v", p)
	}
	n := must[*weftv1.Network](t)(d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{ValidateOnly: true,
		Network: withID(network("azure"), blueID).GetNetwork()}))
	if n.Metadata.Name != "azure" || n.Metadata.Generation != 2 {
		t.Errorf("update: %v", n)
	}
	_, err := d.DeleteNetwork(d.ctx, &weftv1.DeleteNetworkRequest{Id: blueID, ValidateOnly: true})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a delete that could not be done: %v", err)
	}
	if _, err := d.DeleteSubnet(d.ctx, &weftv1.DeleteSubnetRequest{Id: "s", ValidateOnly: true}); err != nil {
		t.Errorf("a delete that could be done: %v", err)
	}
	res := must[*weftv1.ApplyResponse](t)(d.Apply(d.ctx, &weftv1.ApplyRequest{ValidateOnly: true, Objects: []*weftv1.Object{
		network("red"), network("blue", func(n *weftv1.Network) { n.Mtu = 1400 })},
		Deletes: []*weftv1.ObjectRef{{Kind: "subnet", Name: "s"}}}))
	diff(t, "apply", []string{"created network red", "updated network blue mtu:1450→1400", "deleted subnet s"}, actions(res))
	if res.Revision != rev || res.Results[0].Object.Id != "" {
		t.Errorf("apply: revision %d of %d, id %q", res.Revision, rev, res.Results[0].Object.Id)
	}
	sameState(t, before, d.store)
}

// sameState fails when anything was written since a snapshot.
func sameState(t testing.TB, before state.Snapshot, st *store.Store) {
	t.Helper()
	after, _ := st.Snapshot()
	for _, k := range state.Kinds {
		var was, is []any
		for o := range before.ByIDPrefix(k, "") {
			was = append(was, o)
		}
		for o := range after.ByIDPrefix(k, "") {
			is = append(is, o)
		}
		// The objects are immutable: what was not written is the same object still.
		if !slices.Equal(was, is) {
			t.Errorf("%s were written: %d before, %d now", k, len(was), len(is))
		}
	}
}

func TestReferencesByIDPrefixAndName(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID), withID(network("red"), redID), withID(port("web", "blue"), portID), withID(port("web", "red"), port2ID))
	for _, tc := range []struct {
		ref  string
		id   string
		want refusal
	}{
		{ref: portID, id: portID},
		{ref: strings.ToUpper(portID), id: portID},
		{ref: "90470", id: portID},
		{ref: "904711", id: port2ID},
		{ref: "", want: refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{"id: is missing; give an id, the beginning of one, or a name"}}},
		{ref: "904", want: refusal{Code: codes.NotFound, Reason: "NOT_FOUND", Info: map[string]string{"kind": "port", "name": "904"}, Resource: "port/904"}},
		{ref: "weeb", want: refusal{Code: codes.NotFound, Reason: "NOT_FOUND", Info: map[string]string{"kind": "port", "name": "weeb"}, Resource: "port/weeb"}},
		{ref: "9047", want: refusal{Code: codes.InvalidArgument, Reason: "AMBIGUOUS",
			Info: map[string]string{"kind": "port", "name": "9047", "candidates": portID + "," + port2ID}}},
		{ref: "web", want: refusal{Code: codes.InvalidArgument, Reason: "AMBIGUOUS",
			Info: map[string]string{"kind": "port", "name": "web", "candidates": portID + "," + port2ID}}},
	} {
		t.Run(tc.ref, func(t *testing.T) {
			p, err := d.GetPort(d.ctx, &weftv1.GetPortRequest{Id: tc.ref})
			if tc.id != "" && (err != nil || p.Metadata.Id != tc.id) {
				t.Errorf("got %v, %v", p.GetMetadata(), err)
			}
			diff(t, "refusal", tc.want, refused(t, err))
		})
	}
	for ref, want := range map[string]string{
		"904":  `port "904" does not exist; the beginning of an id needs 4 characters`,
		"weeb": `port "weeb" does not exist; did you mean "web"?`,
		"web":  fmt.Sprintf(`"web" could be port "web" (%s), port "web" (%s); give the id`, portID, port2ID),
	} {
		_, err := d.GetPort(d.ctx, &weftv1.GetPortRequest{Id: ref})
		if got := status.Convert(err).Message(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestPagesAreStable(t *testing.T) {
	d := openDoor(t, nil)
	var objs []*weftv1.Object
	for i := range 25 {
		objs = append(objs, network(fmt.Sprintf("net-%d", i), func(n *weftv1.Network) {
			if i%5 == 0 {
				n.Metadata.ProjectId = "acme"
			}
		}))
	}
	d.apply(objs...)
	pages := func(req *weftv1.ListNetworksRequest) (ids []string, sizes []int) {
		for {
			res := must[*weftv1.ListNetworksResponse](t)(d.ListNetworks(d.ctx, req))
			for _, n := range res.Networks {
				ids = append(ids, n.Metadata.Id)
			}
			sizes = append(sizes, len(res.Networks))
			if res.NextPageToken == "" {
				return ids, sizes
			}
			// What comes and goes between two pages neither repeats nor hides another.
			d.apply(network("new-" + res.NextPageToken[:20]))
			req.PageToken = res.NextPageToken
		}
	}
	ids, sizes := pages(&weftv1.ListNetworksRequest{PageSize: 10})
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) || len(ids) < 25 || sizes[0] != 10 {
		t.Errorf("pages of %v: %v", sizes, ids)
	}
	ids, sizes = pages(&weftv1.ListNetworksRequest{PageSize: 5, ProjectId: "acme"})
	diff(t, "the pages of a project", []int{5}, sizes)
	if len(ids) != 5 {
		t.Errorf("networks of the project: %v", ids)
	}
	first := must[*weftv1.ListNetworksResponse](t)(d.ListNetworks(d.ctx, &weftv1.ListNetworksRequest{PageSize: 1}))
	for name, req := range map[string]*weftv1.ListNetworksRequest{
		"a token of another list": {PageToken: first.NextPageToken, ProjectId: "acme"},
		"no token":                {PageToken: "x"},
		"a negative size":         {PageSize: -1},
	} {
		if _, err := d.ListNetworks(d.ctx, req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListPortsFilters(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(host("compute1"), host("compute2"), withID(network("blue"), blueID), withID(network("red"), redID),
		port("a", "blue", func(p *weftv1.Port) { p.DeviceId = "vm1" }),
		port("b", "blue", func(p *weftv1.Port) { p.BindingHostId = "compute1" }),
		port("c", "red", func(p *weftv1.Port) { p.DeviceId, p.BindingHostId = "vm1", "compute1" }),
		withID(port("d", "red"), portID))
	d.plug("compute1", model.Interface{Name: "tap-d", OFPort: 4, IfaceID: portID})
	for _, tc := range []struct {
		req  *weftv1.ListPortsRequest
		want string
	}{
		{&weftv1.ListPortsRequest{}, "abcd"},
		{&weftv1.ListPortsRequest{NetworkId: "blue"}, "ab"},
		{&weftv1.ListPortsRequest{NetworkId: redID[:6]}, "cd"},
		{&weftv1.ListPortsRequest{Host: "compute1"}, "bcd"},
		{&weftv1.ListPortsRequest{Host: "compute2"}, ""},
		{&weftv1.ListPortsRequest{DeviceId: "vm1"}, "ac"},
		{&weftv1.ListPortsRequest{DeviceId: "vm1", Host: "compute1", NetworkId: "red"}, "c"},
		{&weftv1.ListPortsRequest{Name: "d"}, "d"},
		{&weftv1.ListPortsRequest{ProjectId: "acme"}, ""},
	} {
		var names []string
		for _, p := range must[*weftv1.ListPortsResponse](t)(d.ListPorts(d.ctx, tc.req)).Ports {
			names = append(names, p.Metadata.Name)
		}
		slices.Sort(names)
		if got := strings.Join(names, ""); got != tc.want {
			t.Errorf("%v: got %q, want %q", tc.req, got, tc.want)
		}
	}
	_, err := d.ListPorts(d.ctx, &weftv1.ListPortsRequest{NetworkId: "blu"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("an unknown network: %v", err)
	}
	res := must[*weftv1.ListSubnetsResponse](t)(d.ListSubnets(d.ctx, &weftv1.ListSubnetsRequest{NetworkId: "red"}))
	if len(res.Subnets) != 0 || res.Revision == 0 {
		t.Errorf("subnets of red: %v", res)
	}
}

func TestErrorsOfTheStoreHaveCodes(t *testing.T) {
	for _, tc := range []struct {
		err  error
		code codes.Code
		why  string
	}{
		{&store.ErrReadOnly{Why: "the disk is full"}, codes.Unavailable, "READ_ONLY"},
		{&store.ErrTooLarge{Ops: 200, MaxOps: 128}, codes.InvalidArgument, "TOO_LARGE"},
		{&store.ErrUnavailable{Err: status.Error(codes.NotFound, "what etcd's client said")}, codes.Unavailable, "STORE_UNAVAILABLE"},
		{store.ErrClosed, codes.Unavailable, "SHUTTING_DOWN"},
		{store.ErrCompacted, codes.OutOfRange, "COMPACTED"},
		{&store.ErrConflict{Why: "other controllers always came first"}, codes.Aborted, "CONFLICT"},
		{fmt.Errorf("wrapped: %w", &store.ErrExhausted{What: "no VLAN is left"}), codes.ResourceExhausted, "EXHAUSTED"},
		{errors.New("a surprise"), codes.Internal, "INTERNAL"},
	} {
		got := refused(t, statusOf(tc.err).Err())
		if got.Code != tc.code || got.Reason != tc.why {
			t.Errorf("%v: %v %s, want %v %s", tc.err, got.Code, got.Reason, tc.code, tc.why)
		}
	}
}
