package ovsdb

import "github.com/ovn-kubernetes/libovsdb/model"

// Tables of the Open_vSwitch database, ovs-vswitchd.conf.db(5).
const (
	database        = "Open_vSwitch"
	tableRoot       = "Open_vSwitch"
	tableBridge     = "Bridge"
	tablePort       = "Port"
	tableInterface  = "Interface"
	tableController = "Controller"
	tableSSL        = "SSL"
)

// The rows hold only the columns that the package reads: the monitor asks for no others, and so statistics that change
// every five seconds wake nobody.

type rootRow struct {
	UUID       string   `ovsdb:"_uuid"`
	Bridges    []string `ovsdb:"bridges"`
	NextCfg    int      `ovsdb:"next_cfg"`
	CurCfg     int      `ovsdb:"cur_cfg"`
	OVSVersion *string  `ovsdb:"ovs_version"`
	SSL        *string  `ovsdb:"ssl"`
}

type bridgeRow struct {
	UUID         string            `ovsdb:"_uuid"`
	Name         string            `ovsdb:"name"`
	DatapathType string            `ovsdb:"datapath_type"`
	FailMode     *string           `ovsdb:"fail_mode"`
	Protocols    []string          `ovsdb:"protocols"`
	Controllers  []string          `ovsdb:"controller"`
	Ports        []string          `ovsdb:"ports"`
	OtherConfig  map[string]string `ovsdb:"other_config"`
	ExternalIDs  map[string]string `ovsdb:"external_ids"`
}

type portRow struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	Interfaces  []string          `ovsdb:"interfaces"`
	Tag         *int              `ovsdb:"tag"`
	Trunks      []int             `ovsdb:"trunks"`
	VLANMode    *string           `ovsdb:"vlan_mode"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

type interfaceRow struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	Type        string            `ovsdb:"type"`
	Options     map[string]string `ovsdb:"options"`
	OFPort      *int              `ovsdb:"ofport"`
	IfIndex     *int              `ovsdb:"ifindex"`
	Error       *string           `ovsdb:"error"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

type controllerRow struct {
	UUID            string            `ovsdb:"_uuid"`
	Target          string            `ovsdb:"target"`
	ConnectionMode  *string           `ovsdb:"connection_mode"`
	MaxBackoff      *int              `ovsdb:"max_backoff"`
	InactivityProbe *int              `ovsdb:"inactivity_probe"`
	IsConnected     bool              `ovsdb:"is_connected"`
	Role            *string           `ovsdb:"role"`
	ExternalIDs     map[string]string `ovsdb:"external_ids"`
}

type sslRow struct {
	UUID        string            `ovsdb:"_uuid"`
	PrivateKey  string            `ovsdb:"private_key"`
	Certificate string            `ovsdb:"certificate"`
	CACert      string            `ovsdb:"ca_cert"`
	Bootstrap   bool              `ovsdb:"bootstrap_ca_cert"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

// models are the tables that a session mirrors.
func models() map[string]model.Model {
	return map[string]model.Model{
		tableRoot:       &rootRow{},
		tableBridge:     &bridgeRow{},
		tablePort:       &portRow{},
		tableInterface:  &interfaceRow{},
		tableController: &controllerRow{},
		tableSSL:        &sslRow{},
	}
}

// value is what a pointer leads to; the zero value for nil.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
