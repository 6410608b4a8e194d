package metadata

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// ec2 is the tree in Amazon's words, below the version.
func ec2(c *plan.Caller) tree {
	t := tree{}
	if len(c.UserData) > 0 {
		t.add("user-data", "application/octet-stream", c.UserData)
	}
	t.text("meta-data/instance-id", instance(c))
	t.text("meta-data/ami-launch-index", "0")
	t.text("meta-data/hostname", c.Hostname)
	t.text("meta-data/local-hostname", c.Hostname)
	t.text("meta-data/mac", c.MAC)
	var v4 []string
	for _, a := range c.Addresses {
		if a.Is4() {
			v4 = append(v4, a.String())
		}
	}
	if len(v4) > 0 {
		t.text("meta-data/local-ipv4", v4[0])
	}
	nic := "meta-data/network/interfaces/macs/" + c.MAC + "/"
	t.text(nic+"mac", c.MAC)
	t.text(nic+"device-number", "0")
	t.text(nic+"local-hostname", c.Hostname)
	t.text(nic+"local-ipv4s", strings.Join(v4, "\n"))
	if names := slices.Sorted(maps.Keys(c.PublicKeys)); len(names) > 0 {
		// The list of keys is no list of what is below: "0=name" stands for 0/openssh-key.
		var list []string
		for i, name := range names {
			list = append(list, fmt.Sprintf("%d=%s", i, line(name)))
			t.text(fmt.Sprintf("meta-data/public-keys/%d/openssh-key", i), line(c.PublicKeys[name]))
		}
		t.text("meta-data/public-keys", strings.Join(list, "\n"))
	}
	return t
}

// openStack is the tree in OpenStack's words, below the version.
func openStack(c *plan.Caller) tree {
	t := tree{}
	if len(c.UserData) > 0 {
		t.add("user_data", "application/octet-stream", c.UserData)
	}
	t.add("meta_data.json", "application/json", encode(newMetaData(c)))
	t.add("network_data.json", "application/json", encode(newNetworkData(c)))
	t.add("vendor_data.json", "application/json", []byte("{}"))
	t.add("vendor_data2.json", "application/json", []byte("{}"))
	return t
}

// metaData is meta_data.json (Nova, api/metadata/base.py).
type metaData struct {
	UUID        string            `json:"uuid"`
	Name        string            `json:"name"`
	Hostname    string            `json:"hostname"`
	ProjectID   string            `json:"project_id"`
	LaunchIndex int               `json:"launch_index"`
	Meta        map[string]string `json:"meta,omitempty"`
	PublicKeys  map[string]string `json:"public_keys,omitempty"`
	Keys        []metaKey         `json:"keys,omitempty"`
	Devices     []string          `json:"devices"`
}

type metaKey struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Data string `json:"data"`
}

func newMetaData(c *plan.Caller) metaData {
	m := metaData{UUID: instance(c), Name: c.Hostname, Hostname: c.Hostname, ProjectID: c.ProjectID, Meta: c.Meta, Devices: []string{}}
	for _, name := range slices.Sorted(maps.Keys(c.PublicKeys)) {
		if m.PublicKeys == nil {
			m.PublicKeys = map[string]string{}
		}
		m.PublicKeys[name] = line(c.PublicKeys[name])
		m.Keys = append(m.Keys, metaKey{name, "ssh", line(c.PublicKeys[name])})
	}
	return m
}

// networkData is network_data.json (OpenStack's network metadata schema). It tells a machine to ask by DHCP.
type networkData struct {
	Links    []networkLink `json:"links"`
	Networks []network4    `json:"networks"`
	Services []string      `json:"services"`
}

type networkLink struct {
	ID    string `json:"id"`
	VIFID string `json:"vif_id"`
	Type  string `json:"type"`
	MAC   string `json:"ethernet_mac_address"`
}

type network4 struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Link      string `json:"link"`
	NetworkID string `json:"network_id"`
}

func newNetworkData(c *plan.Caller) networkData {
	link := fmt.Sprintf("tap%.11s", c.PortID)
	n := networkData{Links: []networkLink{{link, c.PortID, "ovs", c.MAC}}, Networks: []network4{}, Services: []string{}}
	if slices.ContainsFunc(c.Addresses, netip.Addr.Is4) {
		n.Networks = append(n.Networks, network4{"network0", "ipv4_dhcp", link, c.NetworkID})
	}
	return n
}

// instance is what cloud-init takes for another machine when it changes.
func instance(c *plan.Caller) string { return cmp.Or(c.InstanceID, c.PortID) }

// line is a key as one line.
func line(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\n", " ")) }

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings and maps of strings
	}
	return b.Bytes()
}
