package metadata

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuiltInTrees(t *testing.T) {
	const nic = "/latest/meta-data/network/interfaces/macs/fa:16:3e:00:00:11/"
	for path, want := range map[string]string{
		"/":                                           "1.0\n2009-04-04\nlatest\nopenstack",
		"/latest":                                     "meta-data/\nuser-data",
		"/2009-04-04/":                                "meta-data/\nuser-data",
		"/1.0/meta-data/hostname":                     "vm1",
		"/latest/user-data":                           "#!/bin/sh\necho user-data-1 \x00\xff\n",
		"/latest/meta-data":                           "ami-launch-index\nhostname\ninstance-id\nlocal-hostname\nlocal-ipv4\nmac\nnetwork/\npublic-keys/",
		"//latest///meta-data//mac":                   "fa:16:3e:00:00:11",
		"/latest/meta-data/instance-id":               "instance-1",
		"/latest/meta-data/local-ipv4":                "10.0.0.11",
		"/latest/meta-data/public-keys/":              "0=another\n1=me",
		"/latest/meta-data/public-keys/1":             "openssh-key",
		"/latest/meta-data/public-keys/1/openssh-key": "ssh-ed25519 AAAA1 me",
		nic:                                   "device-number\nlocal-hostname\nlocal-ipv4s\nmac",
		nic + "local-ipv4s":                   "10.0.0.11",
		"/openstack":                          "2018-08-27\nlatest",
		"/openstack/latest/":                  "meta_data.json\nnetwork_data.json\nuser_data\nvendor_data.json\nvendor_data2.json",
		"/openstack/2018-08-27/user_data":     "#!/bin/sh\necho user-data-1 \x00\xff\n",
		"/openstack/latest/vendor_data.json":  "{}",
		"/openstack/latest/network_data.json": `{"links":[{"id":"tap11111111-22","vif_id":"11111111-2222-3333-4444-555555555555","type":"ovs","ethernet_mac_address":"fa:16:3e:00:00:11"}],"networks":[{"id":"network0","type":"ipv4_dhcp","link":"tap11111111-22","network_id":"network-1"}],"services":[]}` + "\n",
		"/openstack/latest/meta_data.json":    `{"uuid":"instance-1","name":"vm1","hostname":"vm1","project_id":"project-1","launch_index":0,"meta":{"role":"role-1"},"public_keys":{"another":"ssh-rsa BBBB","me":"ssh-ed25519 AAAA1 me"},"keys":[{"name":"another","type":"ssh","data":"ssh-rsa BBBB"},{"name":"me","type":"ssh","data":"ssh-ed25519 AAAA1 me"}],"devices":[]}` + "\n",
	} {
		e, ok := lookup(path, vm(1))
		if !ok {
			t.Errorf("%s is not there", path)
		}
		if d := cmp.Diff(want, string(e.body)); d != "" {
			t.Errorf("%s (-want +got):\n%s", path, d)
		}
		if strings.HasSuffix(path, ".json") && (e.kind != "application/json" || !json.Valid(e.body)) {
			t.Errorf("%s is of type %s", path, e.kind)
		}
	}
	for _, path := range []string{"/latest/../openstack", "/3000", "/openstack/3000/meta_data.json", "/latest/meta-data/iam", "/latest/meta-data/public-keys/2", "/openstack/latest/password", "/latest/meta-data/public-keys/1/openssh-key/x"} {
		if e, ok := lookup(path, vm(1)); ok {
			t.Errorf("%s is %q", path, e.body)
		}
	}
}

func TestPortWithoutInstanceData(t *testing.T) {
	c := vm(1)
	c.UserData, c.PublicKeys, c.Meta, c.InstanceID = nil, nil, nil, ""
	for path, want := range map[string]string{
		"/latest/":                         "meta-data/",
		"/latest/meta-data/":               "ami-launch-index\nhostname\ninstance-id\nlocal-hostname\nlocal-ipv4\nmac\nnetwork/",
		"/latest/meta-data/instance-id":    c.PortID,
		"/openstack/latest/meta_data.json": `{"uuid":"11111111-2222-3333-4444-555555555555","name":"vm1","hostname":"vm1","project_id":"project-1","launch_index":0,"devices":[]}` + "\n",
	} {
		if e, ok := lookup(path, c); !ok || string(e.body) != want {
			t.Errorf("%s: %q", path, e.body)
		}
	}
	for _, path := range []string{"/latest/user-data", "/openstack/latest/user_data"} {
		if e, ok := lookup(path, c); ok {
			t.Errorf("%s is %q", path, e.body)
		}
	}
}
