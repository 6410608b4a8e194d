package e2e

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// names replaces what differs from run to run: ids, MACs, VLANs, tunnel keys and paths.
type names struct {
	// ids by name, for commands.
	ids map[string]string
	// known are texts with a name, longest first.
	known [][2]string
	// vlans by host and number.
	vlans map[string]string
	dir   string
}

// newNames reads all objects.
func newNames(ctx context.Context, c *cloud.Cloud) (*names, error) {
	n := &names{ids: map[string]string{}, vlans: map[string]string{}, dir: c.Lab.Dir}
	call := func(text, name string) { n.known = append(n.known, [2]string{text, name}) }
	networks, err := c.Networks.ListNetworks(ctx, &weftv1.ListNetworksRequest{})
	if err != nil {
		return nil, err
	}
	network := map[string]string{}
	for _, o := range networks.GetNetworks() {
		id, name := o.GetMetadata().GetId(), o.GetMetadata().GetName()
		network[id], n.ids[name] = name, id
		call(id, "<"+name+">")
		for _, v := range o.GetStatus().GetLocalVlans() {
			n.vlans[fmt.Sprintf("%s %d", v.GetHost(), v.GetVlan())] = "<vlan of " + name + ">"
		}
	}
	subnets, err := c.Subnets.ListSubnets(ctx, &weftv1.ListSubnetsRequest{})
	if err != nil {
		return nil, err
	}
	for _, o := range subnets.GetSubnets() {
		call(o.GetMetadata().GetId(), "<subnet of "+network[o.GetNetworkId()]+">")
	}
	routers, err := c.Routers.ListRouters(ctx, &weftv1.ListRoutersRequest{})
	if err != nil {
		return nil, err
	}
	for _, o := range routers.GetRouters() {
		id, name := o.GetMetadata().GetId(), o.GetMetadata().GetName()
		n.ids[name] = id
		call(id, "<"+name+">")
		call("rfp-"+id[:10], "rfp-<"+name+">")
		call("fpr-"+id[:10], "fpr-<"+name+">")
	}
	ports, err := c.Ports.ListPorts(ctx, &weftv1.ListPortsRequest{})
	if err != nil {
		return nil, err
	}
	for _, o := range ports.GetPorts() {
		id := o.GetMetadata().GetId()
		name := portName(o, network)
		n.ids[name] = id
		call(id, "<id of "+name+">")
		call(id[:11], "<"+name+">")
		call(id[:10], "<"+name+">") // of chains
		call(o.GetMacAddress(), "<MAC of "+name+">")
	}
	hosts, err := c.Hosts.ListHosts(ctx, &weftv1.ListHostsRequest{})
	if err != nil {
		return nil, err
	}
	for _, o := range hosts.GetHosts() {
		call(o.GetStatus().GetDvrMacAddress(), "<DVR MAC of "+o.GetMetadata().GetId()+">")
	}
	for _, h := range c.Lab.Hosts {
		a := h.TunnelIP.As4()
		call(fmt.Sprintf("%x", a[:]), "<"+h.Name+">")
		call(h.TunnelIP.String(), "<IP of "+h.Name+">")
	}
	slices.SortStableFunc(n.known, func(a, b [2]string) int { return cmp.Compare(len(b[0]), len(a[0])) })
	return n, nil
}

// portName says what a port is for.
func portName(p *weftv1.Port, network map[string]string) string {
	on := network[p.GetNetworkId()]
	switch p.GetDeviceOwner() {
	case "network:router_interface", "network:router_interface_distributed":
		return "gateway of " + on
	case "network:router_gateway":
		return "router on " + on
	case "network:router_centralized_snat":
		return "SNAT on " + on
	case "network:floatingip_agent_gateway":
		return p.GetBindingHostId() + " on " + on
	case "network:dhcp":
		return "DHCP of " + on
	}
	if ips := p.GetFixedIps(); len(ips) > 0 {
		return ips[0].GetIpAddress()
	}
	return p.GetMetadata().GetName()
}

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// fill puts ids into a command for a host: ${dvr} is an id, ${state} the agent's directory.
func (n *names) fill(host, shell string) string {
	return placeholder.ReplaceAllStringFunc(shell, func(s string) string {
		if s == "${state}" {
			return n.dir + "/" + host + "/state"
		}
		return n.ids[s[2:len(s)-1]]
	})
}

var (
	cookie   = regexp.MustCompile(`cookie=0x[0-9a-f]+, `)
	dlVLAN   = regexp.MustCompile(`dl_vlan=(\d+)`)
	setVLAN  = regexp.MustCompile(`set_field:(\d+)->vlan_vid`)
	tag      = regexp.MustCompile(`tag: (\d+)`)
	vlanOf   = regexp.MustCompile(`<vlan of ([^>]*)>`)
	matchKey = regexp.MustCompile(`tun_id=(0x[0-9a-f]+|\d+)`)
	setKey   = regexp.MustCompile(`set_field:(0x[0-9a-f]+)->tun_id`)
	anyMAC   = regexp.MustCompile(`\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b`)
	nsid     = regexp.MustCompile(` \(id: \d+\)$`)
	lifetime = regexp.MustCompile(`\\ valid_lft forever preferred_lft forever$`)
	index    = regexp.MustCompile(`^\d+: ([a-z]{2,3}-|tap|lo)`)
	peer     = regexp.MustCompile(`@if\d+`)
	pid      = regexp.MustCompile(`\d+/weft-nsagent|pid=\d+,fd=\d+`)
	// setNumber and ruleID are in chains of a firewall bridge.
	setNumber = regexp.MustCompile(`(weft-fw-[grs][io])\d+`)
	ruleID    = regexp.MustCompile(`"rule [0-9a-f-]{36}"`)

	spaces = regexp.MustCompile(`\s+`)
)

// lines is an output of a host with names in it.
func (n *names) lines(host, out string) []string {
	var all []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(spaces.ReplaceAllString(line, " "))
		if line = cookie.ReplaceAllString(line, ""); strings.HasPrefix(line, "priority=") {
			line = "table=0, " + line
		}
		for _, k := range n.known {
			line = strings.ReplaceAll(line, k[0], k[1])
		}
		line = strings.ReplaceAll(line, n.dir+"/"+host+"/state", "/var/lib/weft")
		for _, re := range []*regexp.Regexp{dlVLAN, setVLAN, tag} {
			line = replaceNumber(re, line, func(v uint64) (string, bool) {
				// 4096 is OFPVID_PRESENT.
				name, ok := n.vlans[fmt.Sprintf("%s %d", host, v%4096)]
				return name, ok
			})
		}
		// Networks of two types may have the same key: the VLAN in the row tells which it is.
		if of := vlanOf.FindStringSubmatch(line); of != nil {
			for _, re := range []*regexp.Regexp{matchKey, setKey} {
				line = replaceNumber(re, line, func(uint64) (string, bool) { return "<key of " + of[1] + ">", true })
			}
		}
		line = anyMAC.ReplaceAllStringFunc(line, func(mac string) string {
			if mac == "00:00:00:00:00:00" || mac == "01:00:00:00:00:00" || mac == "ff:ff:ff:ff:ff:ff" {
				return mac
			}
			return "<MAC>"
		})
		line = ruleID.ReplaceAllString(setNumber.ReplaceAllString(line, "${1}<set>"), `"rule <id>"`)
		line = index.ReplaceAllString(line, "$1")
		line = lifetime.ReplaceAllString(nsid.ReplaceAllString(line, ""), "")
		line = peer.ReplaceAllString(line, "")
		line = pid.ReplaceAllString(line, "weft-nsagent")
		if line != "" {
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return all
}

// replaceNumber puts a name in the place of the number in a match.
func replaceNumber(re *regexp.Regexp, line string, name func(uint64) (string, bool)) string {
	return re.ReplaceAllStringFunc(line, func(s string) string {
		number := re.FindStringSubmatch(s)[1]
		v, err := strconv.ParseUint(number, 0, 64)
		if err != nil {
			return s
		}
		if text, ok := name(v); ok {
			return strings.Replace(s, number, text, 1)
		}
		return s
	})
}
