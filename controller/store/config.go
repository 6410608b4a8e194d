package store

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weft-sdn/weft/controller/model"
)

// Config says where the store keeps its data and what it allocates from. The zero value of every field but DataDir or
// Endpoints is usable.
type Config struct {
	// DataDir is the directory of the embedded etcd. Exactly one of DataDir and Endpoints is set.
	DataDir string
	// ListenClient is the URL at which the embedded etcd also serves etcdctl, e.g. unix:///run/weft/etcd.sock or
	// http://127.0.0.1:2379. Empty: it is only reachable inside the process.
	ListenClient string
	// QuotaBytes is how large the embedded database may become; 0 is etcd's default of 2 GiB.
	QuotaBytes int64

	// Endpoints are the client URLs of an external etcd cluster.
	Endpoints []string
	// TLS is for the external cluster; nil means plain text.
	TLS *tls.Config
	// MaxTxnOps and MaxTxnBytes must not exceed the external cluster's --max-txn-ops and --max-request-bytes; 0 stands
	// for etcd's defaults (128, 1.5 MiB). The embedded etcd takes 65,536 and 10 MiB.
	MaxTxnOps   int
	MaxTxnBytes int

	// HistoryChanges is how many changes stay in memory for Watch, and how many revisions the embedded etcd keeps at
	// least; 0 means 10,000.
	HistoryChanges int
	// MaintenanceInterval is the time between compactions of the embedded etcd; 0 means 5 minutes.
	MaintenanceInterval time.Duration

	Ranges Ranges
	// TenantNetworkTypes are the network types that a network without a type gets: the first. Empty means vxlan.
	TenantNetworkTypes []string
	// UnderlayMTU is the MTU in bytes of the network between the hosts; 0 means 1500.
	UnderlayMTU int
	// UnderlayIPv6 says that tunnels run over IPv6, whose header is 20 bytes longer.
	UnderlayIPv6 bool

	// DHCPAgentsPerNetwork is how many network hosts serve a network by DHCP, where there are so many; 0 means 2.
	DHCPAgentsPerNetwork int
}

// Range is an inclusive range of segment ids.
type Range struct {
	Min, Max uint32
}

// Ranges are what segment ids are taken from when a network asks for any. A network may ask for an id outside of them.
type Ranges struct {
	// VXLAN, GRE and Geneve: nil means 1..16777215 (24 bits, RFC 7348 5 and RFC 8926 3.4; a GRE key has 32 bits,
	// RFC 2890, but nobody needs more).
	VXLAN, GRE, Geneve []Range
	// VLAN ranges by physical network. None by default: other equipment may use the VLANs.
	VLAN map[string][]Range
}

func (c Config) withDefaults() Config {
	all := []Range{{1, model.MaxVNI}}
	for _, r := range []*[]Range{&c.Ranges.VXLAN, &c.Ranges.GRE, &c.Ranges.Geneve} {
		if *r == nil {
			*r = all
		}
	}
	if len(c.TenantNetworkTypes) == 0 {
		c.TenantNetworkTypes = []string{model.VXLAN}
	}
	if c.UnderlayMTU == 0 {
		c.UnderlayMTU = 1500
	}
	if c.DHCPAgentsPerNetwork == 0 {
		c.DHCPAgentsPerNetwork = 2
	}
	if c.HistoryChanges == 0 {
		c.HistoryChanges = 10000
	}
	if c.MaintenanceInterval == 0 {
		c.MaintenanceInterval = 5 * time.Minute
	}
	if c.DataDir != "" {
		c.MaxTxnOps, c.MaxTxnBytes = embeddedTxnOps, embeddedRequestBytes
	}
	if c.MaxTxnOps == 0 {
		c.MaxTxnOps = 128
	}
	if c.MaxTxnBytes == 0 {
		c.MaxTxnBytes = 1536 * 1024
	}
	return c
}

func (c Config) validate() error {
	if (c.DataDir == "") == (len(c.Endpoints) == 0) {
		return errors.New("store: give either a data directory or etcd endpoints")
	}
	for _, t := range c.TenantNetworkTypes {
		if !slices.Contains(model.NetworkTypes, t) {
			return fmt.Errorf("store: tenant network type %q is not one of %v", t, model.NetworkTypes)
		}
	}
	if c.UnderlayMTU < 576 || c.UnderlayMTU > 65535 {
		return fmt.Errorf("store: underlay MTU %d is not in 576..65535", c.UnderlayMTU)
	}
	if c.DHCPAgentsPerNetwork < 0 {
		return fmt.Errorf("store: %d DHCP agents for a network; give 1 or more, or 0 for 2", c.DHCPAgentsPerNetwork)
	}
	check := func(what string, rs []Range, max uint32) error {
		for _, r := range rs {
			if r.Min < 1 || r.Max > max || r.Min > r.Max {
				return fmt.Errorf("store: %s range %d:%d is not inside 1:%d", what, r.Min, r.Max, max)
			}
		}
		return nil
	}
	errs := []error{
		check("vxlan", c.Ranges.VXLAN, model.MaxVNI),
		check("geneve", c.Ranges.Geneve, model.MaxVNI),
		check("gre", c.Ranges.GRE, model.MaxGREKey),
	}
	for physnet, rs := range c.Ranges.VLAN {
		errs = append(errs, check("vlan "+physnet, rs, model.MaxVLAN))
	}
	return errors.Join(errs...)
}
