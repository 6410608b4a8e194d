package e2e

const seedMapHead = `# Weft beside the seed documents

<!-- Written by go test ./test/e2e -run TestSeedMap -update from a run on real hosts; the test fails when it is stale. -->

Five documents show from the inside the system that Weft does the work of. Whoever knows them finds here what each kind of
their lines is with us. The lines on the right are what the hosts answered when the topologies of the documents were built
on them; names in angle brackets stand in the place of ids, MACs, local VLANs and tunnel keys. The last column says why a line
differs in more than names and numbers; it is empty where it does not. The documents have OpenFlow 1.0's words where Open vSwitch
prints those of 1.3 for us: resubmit is goto_table, mod_dl_src and set_tunnel are set_field, strip_vlan is pop_vlan.
`

// Commands that are used more than once.
const (
	inDVR  = "ip netns exec qrouter-${dvr} "
	inSNAT = "ip netns exec snat-${dvr} "
	inFIP  = "ip netns exec fip-${public} "
	inOld  = "ip netns exec qrouter-${old} "
	inDHCP = "ip netns exec qdhcp-${private} "
	flows  = "ovs-ofctl -O OpenFlow13 --names --no-stats dump-flows "
)

// seeds are the documents.
var seeds = []seed{
	{
		title: "Seed 004: a distributed router",
		about: "compute1 has 10.0.1.5 and 10.0.2.3, both with a floating IP; compute2 has 10.0.1.7 and 10.0.2.5; network1 has the centralised part.",
		places: []place{
			{"Rules", "compute1", inDVR + "ip rule", []mapped{
				{"0: from all lookup local", `0: from all lookup local`, ""},
				{"32766: from all lookup main", `32766: from all lookup main`, ""},
				{"32767: from all lookup default", `32767: from all lookup default`, ""},
				{"32768: from 10.0.1.5 lookup 16", `3276[89]: from 10\.0\.1\.5 lookup 16`, "the priority is allocated in the store: it survives restarts"},
				{"32769: from 10.0.2.3 lookup 16", `3276[89]: from 10\.0\.2\.3 lookup 16`, ""},
				{"167772417: from 10.0.1.1/24 lookup 167772417", `167772417: from 10\.0\.1\.1/24 lookup 167772417`, "the document has it twice; once is enough"},
				{"167772673: from 10.0.2.1/24 lookup 167772673", `167772673: from 10\.0\.2\.1/24 lookup 167772673`, ""},
			}},
			{"Main table", "compute1", inDVR + "ip route list table main", []mapped{
				{"10.0.1.0/24 dev qr-ddbdc784-d7 proto kernel scope link src 10.0.1.1", `10\.0\.1\.0/24 dev qr-<gateway of private1> proto kernel scope link src 10\.0\.1\.1`, ""},
				{"10.0.2.0/24 dev qr-001d0ed9-01 proto kernel scope link src 10.0.2.1", `10\.0\.2\.0/24 dev qr-<gateway of private2> proto kernel scope link src 10\.0\.2\.1`, ""},
				{"169.254.31.28/31 dev rfp-0fbb351e-a proto kernel scope link src 169.254.31.28", `169\.254\.\d+\.\d+/31 dev rfp-<dvr> proto kernel scope link src 169\.254\.\d+\.\d+`,
					"the pair of addresses is allocated out of 169.254.64.0/18, as in later releases"},
			}},
			{"Table 16: floating IPs leave to the fip namespace", "compute1", inDVR + "ip route list table 16", []mapped{
				{"default via 169.254.31.29 dev rfp-0fbb351e-a", `default via 169\.254\.\d+\.\d+ dev rfp-<dvr>( proto static)?`, "routes that Weft made are marked static"},
			}},
			{"The table of a subnet: the rest leaves to the network host", "compute1", inDVR + "ip route list table 167772417", []mapped{
				{"default via 10.0.1.6 dev qr-ddbdc784-d7", `default via 10\.0\.1\.6 dev qr-<gateway of private1>( proto static)?`, ""},
			}},
			{"Neighbours", "compute1", inDVR + "ip neigh", []mapped{
				{"10.0.1.5 dev qr-ddbdc784-d7 lladdr fa:16:3e:da:75:6d PERMANENT", `10\.0\.1\.5 dev qr-<gateway of private1> lladdr <MAC of 10\.0\.1\.5> PERMANENT`, ""},
				{"10.0.2.5 dev qr-001d0ed9-01 lladdr fa:16:3e:51:99:b8 PERMANENT", `10\.0\.2\.5 dev qr-<gateway of private2> lladdr <MAC of 10\.0\.2\.5> PERMANENT`, ""},
				{"10.0.1.6 dev qr-ddbdc784-d7 lladdr fa:16:3e:9f:55:67 PERMANENT", `10\.0\.1\.6 dev qr-<gateway of private1> lladdr <MAC of SNAT on private1> PERMANENT`, ""},
				{"169.254.31.29 dev rfp-0fbb351e-a lladdr 42:0d:9f:49:63:c6 STALE", `169\.254\.\d+\.\d+ dev rfp-<dvr> lladdr <MAC> PERMANENT`, "the MACs of the pair follow from the router's id, so that nobody has to ask"},
			}},
			{"Links and addresses of the router", "compute1", inDVR + "ip -o addr", []mapped{
				{"inet 10.0.1.1/24 brd 10.0.1.255 scope global qr-ddbdc784-d7", `qr-<gateway of private1> inet 10\.0\.1\.1/24 (brd 10\.0\.1\.255 )?scope global qr-<gateway of private1>.*`, ""},
				{"inet 169.254.31.28/31 scope global rfp-0fbb351e-a", `rfp-<dvr> inet 169\.254\.\d+\.\d+/31 scope global rfp-<dvr>.*`, ""},
				{"inet 172.24.4.5/32 brd 172.24.4.5 scope global rfp-0fbb351e-a", ``,
					"not configured, as in later releases: the route in the fip namespace and proxy_arp on fg- do it; the router would take for itself what the DNAT rule does not match"},
			}},
			{"The same MAC and address on every host", "compute2", inDVR + "ip -o link", []mapped{
				{"qr-ddbdc784-d7 Link encap:Ethernet HWaddr fa:16:3e:66:13:af", `qr-<gateway of private1>: .* link/ether <MAC of gateway of private1> .*`, ""},
			}},
			{"NAT of the router", "compute1", inDVR + "iptables -t nat -S", []mapped{
				{"Chain neutron-l3-agent-float-snat (1 references)", `-N weft-l3-float-snat`, "chains are called weft-"},
				{"SNAT all -- * * 10.0.1.5 0.0.0.0/0 to:172.24.4.5", `-A weft-l3-float-snat -s 10\.0\.1\.5/32 -j SNAT --to-source 172\.24\.4\.5.*`, "ports at random, as in later releases: fewer collisions"},
				{"Chain neutron-l3-agent-PREROUTING (1 references)", `-N weft-l3-PREROUTING`, ""},
				{"REDIRECT tcp -- * * 0.0.0.0/0 169.254.169.254 tcp dpt:80 redir ports 9697", `-A weft-l3-PREROUTING -d 169\.254\.169\.254/32 -i qr-\+ -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697`, "only what comes from a subnet"},
				{"DNAT all -- * * 0.0.0.0/0 172.24.4.5 to:10.0.1.5", `-A weft-l3-PREROUTING -d 172\.24\.4\.5/32 -i rfp-<dvr> -j DNAT --to-destination 10\.0\.1\.5`, "only what comes by the fip namespace"},
			}},
			{"The fip namespace", "compute1", inFIP + "sh -c 'ip route; ip rule; ip route show table all | grep default; sysctl -a 2>/dev/null | grep fg-.*proxy_arp\\ ; ip -o -4 addr'", []mapped{
				{"default via 172.24.4.1 dev fg-081d537b-06", `default via 172\.24\.4\.1 dev fg-<compute1 on public> table \d+( proto static)?`, "a table for each router, as in later releases, so that one host can have several gateways"},
				{"169.254.31.28/31 dev fpr-0fbb351e-a proto kernel scope link src 169.254.31.29", `169\.254\.\d+\.\d+/31 dev fpr-<dvr> proto kernel scope link src 169\.254\.\d+\.\d+`, ""},
				{"172.24.4.0/24 dev fg-081d537b-06 proto kernel scope link src 172.24.4.6", `172\.24\.4\.0/24 dev fg-<compute1 on public> proto kernel scope link src 172\.24\.4\.\d+`, ""},
				{"172.24.4.5 via 169.254.31.28 dev fpr-0fbb351e-a", `172\.24\.4\.5 via 169\.254\.\d+\.\d+ dev fpr-<dvr>( proto static)?`, ""},
				{"172.24.4.7 via 169.254.31.28 dev fpr-0fbb351e-a", `172\.24\.4\.7 via 169\.254\.\d+\.\d+ dev fpr-<dvr>( proto static)?`, ""},
				{"net.ipv4.conf.fg-081d537b-06.proxy_arp = 1", `net\.ipv4\.conf\.fg-<compute1 on public>\.proxy_arp = 1`, ""},
				{"fg-081d537b-06 inet addr:172.24.4.6 Bcast:172.24.4.255 Mask:255.255.255.0", `fg-<compute1 on public> inet 172\.24\.4\.\d+/24 .*`, ""},
			}},
			{"The snat namespace", "network1", inSNAT + "sh -c 'ip -o -4 addr; ip route; iptables -t nat -S'", []mapped{
				{"qg-4d15b7f6-cb inet addr:172.24.4.4 Bcast:172.24.4.255 Mask:255.255.255.0", `qg-<router on public> inet 172\.24\.4\.4/24 .*`, ""},
				{"sg-427653e4-a3 inet addr:10.0.1.6 Bcast:10.0.1.255 Mask:255.255.255.0", `sg-<SNAT on private1> inet 10\.0\.1\.6/24 .*`, ""},
				{"sg-5df1ec71-d3 inet addr:10.0.2.2 Bcast:10.0.2.255 Mask:255.255.255.0", `sg-<SNAT on private2> inet 10\.0\.2\.2/24 .*`, ""},
				{"SNAT all -- * * 10.0.1.0/24 0.0.0.0/0 to:172.24.4.4", `-A weft-l3-snat -o qg-<router on public> -j SNAT --to-source 172\.24\.4\.4.*`,
					"one rule for all that leaves, as in later releases: networks behind a further router leave too"},
			}},
			{"br-tun of compute1", "compute1", flows + "br-tun", []mapped{
				{"table=0, priority=1,in_port=3 actions=resubmit(,4)", `table=0, priority=1,in_port="?vxlan-<\w+>"? actions=goto_table:4`, ""},
				{"table=0, priority=1,in_port=1 actions=resubmit(,1)", `table=0, priority=1,in_port="?patch-int"? actions=goto_table:1`, ""},
				{"table=0, priority=0 actions=drop", `table=0, priority=0 actions=drop`, ""},
				{"table=1, priority=1,dl_vlan=1,dl_src=fa:16:3e:66:13:af actions=mod_dl_src:fa:16:3f:fe:49:e9,resubmit(,2)",
					`table=1, priority=1,dl_vlan=<vlan of private1>,dl_src=<MAC of gateway of private1> actions=set_field:<DVR MAC of compute1>->eth_src,goto_table:2`, ""},
				{"table=1, priority=2,dl_vlan=1,dl_dst=fa:16:3e:66:13:af actions=drop", `table=1, priority=2,dl_vlan=<vlan of private1>,dl_dst=<MAC of gateway of private1> actions=drop`, ""},
				{"table=1, priority=3,arp,dl_vlan=1,arp_tpa=10.0.1.1 actions=drop", `table=1, priority=3,arp,dl_vlan=<vlan of private1>,arp_tpa=10\.0\.1\.1 actions=drop`, "and the same for IPv6, with router advertisements"},
				{"table=1, priority=0 actions=resubmit(,2)", `table=1, priority=0 actions=goto_table:2`, ""},
				{"table=2, priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=resubmit(,20)", `table=2, priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20`, "ARP requests go to table 21 first, which answers them"},
				{"table=2, priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=resubmit(,22)", `table=2, priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22`, ""},
				{"table=20, priority=2,dl_vlan=2,dl_dst=fa:16:3e:51:99:b8 actions=strip_vlan,set_tunnel:0x3eb,output:4",
					`table=20, priority=2,dl_vlan=<vlan of private2>,dl_dst=<MAC of 10\.0\.2\.5> actions=pop_vlan,set_field:<key of private2>->tun_id,output:"?vxlan-<compute2>"?`, ""},
				{"table=20, priority=0 actions=resubmit(,22)", `table=20, priority=0 actions=goto_table:22`, ""},
			}},
			{"br-tun of compute2", "compute2", flows + "br-tun", []mapped{
				{"table=4, priority=1,tun_id=0x3eb actions=mod_vlan_vid:3,resubmit(,9)", `table=4, priority=1,tun_id=<key of private2> actions=push_vlan:0x8100,set_field:<vlan of private2>->vlan_vid,goto_table:9`, ""},
				{"table=4, priority=0 actions=drop", `table=4, priority=0 actions=drop`, ""},
				{"table=9, priority=1,dl_src=fa:16:3f:fe:49:e9 actions=output:1", `table=9, priority=1,dl_src=<DVR MAC of compute1> actions=output:"?patch-int"?`, ""},
				{"table=9, priority=0 actions=resubmit(,10)", `table=9, priority=0 actions=goto_table:10`, ""},
			}},
			{"br-int of compute2", "compute2", flows + "br-int", []mapped{
				{"table=0, priority=2,in_port=6,dl_src=fa:16:3f:fe:49:e9 actions=resubmit(,1)", `table=0, priority=2,in_port="?patch-tun"?,dl_src=<DVR MAC of compute1> actions=goto_table:1`, ""},
				{"table=0, priority=1 actions=NORMAL", `table=0, priority=1,in_port="?patch-tun"? actions=goto_table:60`, "by port, and a dead port reaches nothing; table 60 has NORMAL, as in later releases"},
				{"table=1, priority=4,dl_vlan=3,dl_dst=fa:16:3e:51:99:b8 actions=strip_vlan,mod_dl_src:fa:16:3e:69:b4:05,output:12",
					`table=1, priority=4,ip,dl_vlan=<vlan of private2>,dl_dst=<MAC of 10\.0\.2\.5> actions=.*set_field:<MAC of gateway of private2>->eth_src.*`, "for each IP version its own row: the original gave IPv4 packets the IPv6 gateway's MAC"},
				{"table=1, priority=2,ip,dl_vlan=3,nw_dst=10.0.2.0/24 actions=strip_vlan,mod_dl_src:fa:16:3e:69:b4:05,output:12", ``, "the document calls it superfluous, and later releases do not have it"},
			}},
			{"Tunnels", "compute1", "ovs-vsctl show", []mapped{
				{`Interface "vxlan-0ae09f91"`, `Interface "?vxlan-<compute2>"?`, ""},
				{`options: {df_default="true", in_key=flow, local_ip="10.224.159.141", out_key=flow, remote_ip="10.224.159.145"}`,
					`options: \{df_default="true", .*local_ip="<IP of compute1>", .*remote_ip="<IP of compute2>"\}`, "options of later releases"},
				{"Interface patch-int", `Interface patch-int`, ""},
				{"options: {peer=patch-tun}", `options: \{peer=patch-tun\}`, ""},
			}},
		},
	},
	{
		title: "Seeds 000 to 003: a centralised router, DHCP, GRE",
		about: "compute1 has 10.1.0.2 with a floating IP; network1 has the router and the DHCP server.",
		places: []place{
			{"Namespaces of the network host", "network1", "ip netns", []mapped{
				{"qdhcp-88b1609c-68e0-49ca-a658-f1edff54a264", `qdhcp-<private>`, ""},
				{"qrouter-2d214fde-293c-4d64-8062-797f80ae2d8f", `qrouter-<old>`, ""},
			}},
			{"DHCP", "network1", inDHCP + "ip -o addr; ps -eo args= | grep -o '[d]nsmasq --.*'; cat ${state}/dhcp/${private}/host ${state}/dhcp/${private}/opts", []mapped{
				{"inet 10.1.0.3/24 brd 10.1.0.255 scope global ns-f14c598d-98", `ns-<DHCP of private> inet 10\.1\.0\.3/24 .*`, ""},
				{"dnsmasq --no-hosts --no-resolv --strict-order --bind-interfaces --interface=ns-f14c598d-98 --except-interface=lo --pid-file=… --dhcp-hostsfile=… --dhcp-optsfile=… --leasefile-ro --dhcp-range=tag0,10.1.0.0,static,120s --conf-file= --domain=openstacklocal",
					`dnsmasq .*--interface=ns-<DHCP of private> .*--dhcp-range=set:subnet-<subnet of private>,10\.1\.0\.0,static,.*`, "options of later releases; who is not known is ignored; leases last a day"},
				{"one line for each instance in --dhcp-hostsfile", `<MAC of 10\.1\.0\.2>,host-10-1-0-2\.weft\.internal,10\.1\.0\.2`, ""},
				{"169.254.169.254 via 172.17.17.1 dev eth0 (in the instance)", `tag:subnet-<subnet of private>,option:classless-static-route,169\.254\.169\.254/32,10\.1\.0\.1,.*`, "the instance has the route by DHCP"},
			}},
			{"Ports of the network host", "network1", "ovs-vsctl show", []mapped{
				{`Port "tapf14c598d-98"`, `Port "?tap<DHCP of private>"?`, ""},
				{"tag: 1", `tag: <vlan of private>`, ""},
				{`Port "tapc2d7dd02-56"`, `Port "?tap<gateway of private>"?`, ""},
				{`Bridge br-ex Port "tapd48b49e0-aa"`, `Port "?tap<router on old-public>"?`, "on br-int, in the VLAN of the external network, and from there to br-ex: so an external network may be a VLAN, and there may be several"},
				{"Interface patch-tun", `Interface patch-tun`, ""},
				{"ovs-vsctl add-port br-ex eth2", `Port "?eth2"?`, "what is plugged into br-ex is the operator's"},
			}},
			{"Links and addresses of the router", "network1", inOld + "ip -o addr", []mapped{
				{"inet 172.24.4.227/28 brd 172.24.4.239 scope global qg-d48b49e0-aa", `qg-<router on old-public> inet 172\.24\.4\.227/28 .*`, ""},
				{"inet 172.24.4.228/32 brd 172.24.4.228 scope global qg-d48b49e0-aa", `qg-<router on old-public> inet 172\.24\.4\.228/32 .*`, ""},
				{"inet 10.1.0.1/24 brd 10.1.0.255 scope global qr-c2d7dd02-56", `qr-<gateway of private> inet 10\.1\.0\.1/24 .*`, ""},
			}},
			{"Routes", "network1", inOld + "ip route", []mapped{
				{"172.24.4.224/28 dev qg-d48b49e0-aa proto kernel scope link src 172.24.4.227", `172\.24\.4\.224/28 dev qg-<router on old-public> proto kernel scope link src 172\.24\.4\.227`, ""},
				{"10.1.0.0/24 dev qr-c2d7dd02-56 proto kernel scope link src 10.1.0.1", `10\.1\.0\.0/24 dev qr-<gateway of private> proto kernel scope link src 10\.1\.0\.1`, ""},
				{"default via 172.24.4.225 dev qg-d48b49e0-aa", `default via 172\.24\.4\.225 dev qg-<router on old-public>( proto static)?`, ""},
			}},
			{"NAT", "network1", inOld + "iptables -t nat -S", []mapped{
				{"-A PREROUTING -j quantum-l3-agent-PREROUTING", `-A PREROUTING -j weft-l3-PREROUTING`, ""},
				{"-A POSTROUTING -j quantum-l3-agent-POSTROUTING", `-A POSTROUTING -j weft-l3-POSTROUTING`, ""},
				{"-A POSTROUTING -j quantum-postrouting-bottom", `-A POSTROUTING -j weft-postrouting-bottom`, ""},
				{"-A OUTPUT -j quantum-l3-agent-OUTPUT", `-A OUTPUT -j weft-l3-OUTPUT`, ""},
				{"-A quantum-l3-agent-OUTPUT -d 172.24.4.228/32 -j DNAT --to-destination 10.1.0.2", `-A weft-l3-OUTPUT -d 172\.24\.4\.228/32 -j DNAT --to-destination 10\.1\.0\.2`, ""},
				{"-A quantum-l3-agent-POSTROUTING ! -i qg-d48b49e0-aa ! -o qg-d48b49e0-aa -m conntrack ! --ctstate DNAT -j ACCEPT", `-A weft-l3-POSTROUTING .*! -o qg-<router on old-public> -m conntrack ! --ctstate DNAT -j ACCEPT`, "POSTROUTING does not know where a packet came in"},
				{"-A quantum-l3-agent-PREROUTING -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697", `-A weft-l3-PREROUTING -d 169\.254\.169\.254/32 -i qr-\+ -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697`, "only what comes from a subnet"},
				{"-A quantum-l3-agent-PREROUTING -d 172.24.4.228/32 -j DNAT --to-destination 10.1.0.2", `-A weft-l3-PREROUTING -d 172\.24\.4\.228/32 -j DNAT --to-destination 10\.1\.0\.2`, ""},
				{"-A quantum-l3-agent-float-snat -s 10.1.0.2/32 -j SNAT --to-source 172.24.4.228", `-A weft-l3-float-snat -s 10\.1\.0\.2/32 -j SNAT --to-source 172\.24\.4\.228.*`, "ports at random"},
				{"-A quantum-l3-agent-snat -j quantum-l3-agent-float-snat", `-A weft-l3-snat -j weft-l3-float-snat`, ""},
				{"-A quantum-l3-agent-snat -s 10.1.0.0/24 -j SNAT --to-source 172.24.4.227", `-A weft-l3-snat -o qg-<router on old-public> -j SNAT --to-source 172\.24\.4\.227.*`, "one rule for all that leaves"},
				{"-A quantum-postrouting-bottom -j quantum-l3-agent-snat", `-A weft-postrouting-bottom .*-j weft-l3-snat`, ""},
			}},
			{"Metadata", "network1", inOld + "sh -c 'iptables -S; ss -Hltnp'", []mapped{
				{"-A quantum-l3-agent-INPUT -d 127.0.0.1/32 -p tcp -m tcp --dport 9697 -j ACCEPT", `-A weft-l3-INPUT -m mark --mark 0x1/0xffff -j ACCEPT`, "what was redirected carries a mark"},
				{"", `-A weft-l3-INPUT -p tcp -m tcp --dport 9697 -j DROP`, "the port is closed to everything that was not redirected"},
				{"tcp 0 0 0.0.0.0:9697 0.0.0.0:* LISTEN 11937/python", `LISTEN .*:9697 .*weft-nsagent.*`, "the agent itself listens: no process for each router, and no socket to a proxy"},
			}},
			{"GRE: br-tun of compute1", "compute1", flows + "br-tun", []mapped{
				{"table=0, priority=3,tun_id=0x2,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=mod_vlan_vid:1,output:1", `table=3, priority=1,tun_id=<key of private> actions=push_vlan:0x8100,set_field:<vlan of private>->vlan_vid,goto_table:9`, "one table for each step, as in seed 004"},
				{"table=0, priority=3,tun_id=0x2,dl_dst=fa:16:3e:dd:c1:62 actions=mod_vlan_vid:1,NORMAL", `table=10, priority=0 actions=output:"?patch-int"?`, "br-int finds the port; nothing is learned where everything is told"},
				{"table=0, priority=4,in_port=1,dl_vlan=1 actions=set_tunnel:0x2,NORMAL", `table=20, priority=2,dl_vlan=<vlan of private>,dl_dst=<MAC of gateway of private> actions=pop_vlan,set_field:<key of private>->tun_id,output:"?gre-<network1>"?`, "known MACs go by one tunnel, the rest by table 22"},
				{"table=0, priority=1 actions=drop", `table=0, priority=0 actions=drop`, ""},
			}},
			{"Security groups on the firewall bridge", "compute1", "iptables -S", []mapped{
				{"-A quantum-openvswi-FORWARD -m physdev --physdev-out tap7c7ae61e-05 --physdev-is-bridged -j quantum-openvswi-sg-chain", `-A weft-fw-FORWARD -i qbr\+ -m physdev --physdev-is-bridged .*-j weft-fw-sg-chain`, "one rule for all ports"},
				{"-A quantum-openvswi-FORWARD -m physdev --physdev-in tap7c7ae61e-05 --physdev-is-bridged -j quantum-openvswi-sg-chain", `-A weft-fw-FORWARD -i qbr<10\.1\.0\.2> ! -o qbr<10\.1\.0\.2> -j DROP`, "both directions are in the line before; the host routes nothing for a machine"},
				{"-A quantum-openvswi-INPUT -m physdev --physdev-in tap7c7ae61e-05 --physdev-is-bridged -j quantum-openvswi-o7c7ae61e-0", `-A weft-fw-INPUT -i qbr<10\.1\.0\.2> -j DROP`, "the host is no neighbour of its machines"},
				{"-A quantum-openvswi-sg-chain -m physdev --physdev-out tap7c7ae61e-05 --physdev-is-bridged -j quantum-openvswi-i7c7ae61e-0", `-A weft-fw-sg-chain -m physdev --physdev-in qvb<10\.1\.0\.2> --physdev-is-bridged .*-j weft-fw-i<10\.1\.0\.2>`, "by the other end of the bridge: libvirt may call the tap anything"},
				{"-A quantum-openvswi-sg-chain -m physdev --physdev-in tap7c7ae61e-05 --physdev-is-bridged -j quantum-openvswi-o7c7ae61e-0", `-A weft-fw-sg-chain -m physdev --physdev-out qvb<10\.1\.0\.2> --physdev-is-bridged .*-j weft-fw-o<10\.1\.0\.2>`, ""},
				{"-A quantum-openvswi-o7c7ae61e-0 -m mac ! --mac-source FA:16:3E:03:00:E7 -j DROP", `-A weft-fw-o<10\.1\.0\.2> -j weft-fw-s<10\.1\.0\.2>`, "anti-spoofing has a chain of its own, as in later releases"},
				{"-A quantum-openvswi-o7c7ae61e-0 -p udp -m udp --sport 68 --dport 67 -j RETURN", `-A weft-fw-clients -p udp -m udp --sport 68 --dport 67 .*-j weft-fw-accept`, "one chain for all ports; what is allowed is accepted at once"},
				{"-A quantum-openvswi-o7c7ae61e-0 ! -s 10.1.0.2/32 -j DROP", `-A weft-fw-s<10\.1\.0\.2> -s 10\.1\.0\.2/32 -m mac --mac-source <MAC of 10\.1\.0\.2> .*-j RETURN`, "address and MAC go together"},
				{"-A quantum-openvswi-o7c7ae61e-0 -p udp -m udp --sport 67 --dport 68 -j DROP", `-A weft-fw-servers -p udp -m udp --dport 68 .*-j DROP`, "one chain for all ports; whatever port a server speaks from"},
				{"-A quantum-openvswi-o7c7ae61e-0 -m state --state INVALID -j DROP", `-A weft-fw-state -m conntrack --ctstate INVALID,UNTRACKED -j DROP`, "one chain for all ports"},
				{"-A quantum-openvswi-o7c7ae61e-0 -m state --state RELATED,ESTABLISHED -j RETURN", `-A weft-fw-state -m conntrack --ctstate RELATED -m connmark --mark 0x0/0x1 -j weft-fw-accept`, "errors only, about what has not been cut: the rest is judged packet by packet, also answers (0079)"},
				{"-A quantum-openvswi-o7c7ae61e-0 -j RETURN", `-A weft-fw-go<set> -m comment --comment "rule <id>" -j weft-fw-accept`, "the rules of a set of groups are shared by the ports that have it"},
				{"-A quantum-openvswi-o7c7ae61e-0 -j quantum-openvswi-sg-fallback", `-A weft-fw-o<10\.1\.0\.2> .*-j weft-fw-sg-fallback`, ""},
				{"-A quantum-openvswi-i7c7ae61e-0 -p icmp -j RETURN", `-A weft-fw-gi<set> -p icmp -m comment --comment "rule <id>" -j weft-fw-accept`, ""},
				{"-A quantum-openvswi-i7c7ae61e-0 -p tcp -m tcp --dport 22 -j RETURN", `-A weft-fw-gi<set> -p tcp -m tcp --dport 22 -m comment --comment "rule <id>" -j weft-fw-accept`, ""},
				{"-A quantum-openvswi-i7c7ae61e-0 -p tcp -m tcp --dport 80 -j RETURN", `-A weft-fw-gi<set> -p tcp -m tcp --dport 80 -m comment --comment "rule <id>" -j weft-fw-accept`, ""},
				{"-A quantum-openvswi-i7c7ae61e-0 -s 10.1.0.3/32 -p udp -m udp --sport 67 --dport 68 -j RETURN", `-A weft-fw-heard -p udp -m udp --sport 67 --dport 68 -j weft-fw-accept`, "one chain for all ports; nobody else may answer, so that the server need not be named"},
				{"-A quantum-openvswi-i7c7ae61e-0 -j quantum-openvswi-sg-fallback", `-A weft-fw-i<10\.1\.0\.2> .*-j weft-fw-sg-fallback`, ""},
			}},
			{"The firewall bridge", "compute1", "ovs-vsctl show; ip -o link show master qbr$(echo ${10.1.0.2} | cut -c1-11) | cut -d' ' -f2", []mapped{
				{`Port "qvo7c7ae61e-05"`, `Port "?qvo<10\.1\.0\.2>"?`, ""},
				{"tag: 1", `tag: <vlan of private>`, ""},
				{"qvb7c7ae61e-05", `qvb<10\.1\.0\.2>.*`, ""},
				{"tap7c7ae61e-05", `tap<10\.1\.0\.2>.*`, ""},
			}},
		},
	},
}
