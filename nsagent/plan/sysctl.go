package plan

// everywhere sets what is so in all namespaces of ours. New namespaces take over IPv4 settings of the host
// (net.core.devconf_inherit_init_net), so that what matters is said. Devices that come take over the default.
func (b *builder) everywhere() {
	b.n.Links = append(b.n.Links, Link{Name: "lo", MAC: "00:00:00:00:00:00", MTU: 65536, Up: true, Offload: true, Given: true, For: b.own})
	for _, r := range kernelRules {
		r.For = b.own
		b.n.Rules = append(b.n.Rules, r)
	}
	b.set("net/ipv4/conf/all/rp_filter", "0")
	b.set("net/ipv4/conf/default/rp_filter", "0")
	b.set("net/ipv4/conf/default/send_redirects", "0")
	b.set("net/ipv6/conf/default/accept_ra", "0")
	// An address of a router is in force at once, and its check for duplicates would meet the copies on other hosts.
	b.set("net/ipv6/conf/default/accept_dad", "0")
}

// device sets what is so for all devices of ours.
func (b *builder) device(name string) {
	// Packets to and from floating IPs of distributed routers take different ways.
	b.set("net/ipv4/conf/"+name+"/rp_filter", "0")
	b.set("net/ipv4/conf/"+name+"/send_redirects", "0")
	// When an address goes, another one of its subnet stays.
	b.set("net/ipv4/conf/"+name+"/promote_secondaries", "1")
	b.set("net/ipv6/conf/"+name+"/accept_ra", "0")
	b.set("net/ipv6/conf/"+name+"/accept_dad", "0")
}

// forwards sets what makes a namespace a router.
func (b *builder) forwards() {
	b.set("net/ipv4/ip_forward", "1")
	b.set("net/ipv6/conf/all/forwarding", "1")
	// A device answers for, and speaks as, its own addresses only.
	b.set("net/ipv4/conf/all/arp_ignore", "1")
	b.set("net/ipv4/conf/all/arp_announce", "2")
	// What a redirect would tell, a port's address filter would not let it do.
	b.set("net/ipv4/conf/all/send_redirects", "0")
}

func (b *builder) set(key, value string) { b.n.Sysctls[key] = value }
