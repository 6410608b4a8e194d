// Package lab builds a small cloud on one machine: hosts with an Open vSwitch of their own, VMs, and the networks
// between them, all real but for the hardware.
//
// A host is a box (package nsbox) with its own hostname, network, /run and Open vSwitch at the default paths, so that
// plain "ovs-ofctl dump-flows br-tun" and "ip netns" work inside as on a real node. Its disk, /etc/openvswitch and
// what the node agent keeps, outlives it. A VM is a box within the box of its host, with a veth in br-int that is
// marked as libvirt marks its own. The controller has a box too.
//
//	            mgmt 10.90.0.0/24       underlay 10.91.0.0/24       physnet1
//	controller  eth0 .1
//	host n      eth0 .n                 eth1 in br-phy, .n          eth2 in br-ex
//	outside                                                         eth0 in br-out, and 198.51.100.1 behind it
//
// The three networks are Linux bridges in a box that holds all the others, so a lab ends with one killed process and
// leaves nothing in the machine's own network. Labs do not see each other; several may run at once.
//
// Every datapath is Open vSwitch's userspace one, datapath_type=netdev: it is the same on every machine, with and
// without the kernel module. Two things follow. A tunnel needs its address on a bridge that holds the uplink, which is
// br-phy. And no veth may leave checksums to hardware (ethtool -K … tx off), or ping works while TCP hangs.
//
// A program that uses the package calls Main first thing in main; a test binary in TestMain.
package lab
