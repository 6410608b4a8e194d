package main

import (
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"

	"github.com/weft-sdn/weft/nsagent/agent"
)

func parse(t *testing.T, env map[string]string, args ...string) (agent.Config, error) {
	t.Helper()
	var o options
	f := pflag.NewFlagSet("weft-nsagent", pflag.ContinueOnError)
	o.flags(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	if err := fromEnvironment(f, func(name string) (string, bool) { v, ok := env[name]; return v, ok }); err != nil {
		return agent.Config{}, err
	}
	return o.config(machine{hostname: "compute1", bootID: "b", kernelDatapath: true}, slog.New(slog.DiscardHandler))
}

func TestFlagsWinOverTheEnvironment(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := parse(t, map[string]string{"WEFT_CONTROLLER": "127.0.0.1:1,127.0.0.1:2", "WEFT_TUNNEL_IP": "10.0.0.9", "WEFT_HOST": "other",
		"WEFT_BRIDGE_MAPPINGS": "physnet1:br-ex,physnet2:br-p2", "WEFT_OVSDB": "unix:/tmp/ovs/db.sock", "WEFT_METADATA_SECRET_FILE": secret},
		"--metadata-url=http://10.0.0.5:8775", "--dhcp-lease-time=1h", "--tunnel-ip=10.0.0.1", "--roles=compute,network", "--datapath-type=netdev")
	if err != nil {
		t.Fatal(err)
	}
	want := agent.Config{Host: "other", BootID: "b", TunnelIP: "10.0.0.1", BridgeMappings: map[string]string{"physnet1": "br-ex", "physnet2": "br-p2"},
		Roles: []string{"compute", "network"}, Controllers: []string{"127.0.0.1:1", "127.0.0.1:2"}, StateDir: "/var/lib/weft", OVSDB: "unix:/tmp/ovs/db.sock",
		RunDir: "/tmp/ovs", DatapathType: "netdev", IntegrationBridge: "br-int", TunnelBridge: "br-tun",
		MetadataURL: &url.URL{Scheme: "http", Host: "10.0.0.5:8775"}, MetadataSecret: []byte("s3cret"), LeaseTime: time.Hour, AuditInterval: 10 * time.Second}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(agent.Config{}, "Credentials")); d != "" {
		t.Errorf("config (-want +got):\n%s", d)
	}
}

func TestWhatTheSystemSays(t *testing.T) {
	got, err := parse(t, nil, "--controller=localhost:9444", "--ovsdb=tcp:127.0.0.1:6640")
	if err != nil {
		t.Fatal(err)
	}
	if got.Host != "compute1" || got.DatapathType != "system" || got.RunDir != "/run/openvswitch" {
		t.Errorf("host %q, datapath type %q, run directory %q", got.Host, got.DatapathType, got.RunDir)
	}
}

func TestWrongFlags(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		env  map[string]string
		want []string
	}{
		{"none", nil, nil, []string{"--controller: at least one is needed, e.g. --controller 10.0.0.1:9444"}},
		{"plain text to the network", []string{"--controller=10.0.0.1:9444"}, nil,
			[]string{"--controller: 10.0.0.1:9444 is not on loopback: give --tls-cert, --tls-key and --tls-ca, or --insecure for plain text"}},
		{"half of TLS", []string{"--controller=10.0.0.1:9444", "--tls-cert=x"}, nil, []string{"--tls-cert, --tls-key and --tls-ca go together"}},
		{"no such file", []string{"--controller=10.0.0.1:9444", "--tls-cert=/x", "--tls-key=/x", "--tls-ca=/x"}, nil,
			[]string{"--tls-cert, --tls-key, --tls-ca: certificate /x with key /x: open /x: no such file or directory"}},
		{"many", []string{"--controller=10.0.0.1", "--insecure", "--tunnel-ip=10.0.0", "--roles=king", "--datapath-type=dpdk", "--ovsdb=/run/db.sock",
			"--bridge-mappings=physnet1,physnet2:br-int,physnet3:br-ex;reboot", "--tunnel-bridge=br-int", "--metrics=9445"}, nil,
			[]string{
				`--controller: "10.0.0.1" is not host:port`,
				`--tunnel-ip: "10.0.0" is not the address of a host`,
				`--roles: "king" is neither compute nor network`,
				`--datapath-type: "dpdk" is none of auto, system, netdev`,
				`--ovsdb: "/run/db.sock" is neither unix:PATH nor tcp:HOST:PORT`,
				`--tunnel-bridge: "br-int" is the integration bridge`,
				`--bridge-mappings: "physnet1" is not physical-network:bridge`,
				`--bridge-mappings: "br-int" is the integration or tunnel bridge`,
				`--bridge-mappings: name: "br-ex;reboot" is no name for a network device: 1 to 15 letters, digits, "_", ".", "-" are`,
				`--metrics: "9445" is not a host:port on loopback; --insecure allows others`,
			}},
		{"services", []string{"--controller=127.0.0.1:1", "--metadata-url=ftp://nova", "--metadata-secret-file=/dev/null", "--dhcp-lease-time=1m", "--audit-interval=0"}, nil, []string{
			`--metadata-url: "ftp://nova" is not http://host:port or https://host:port, without anything behind but a path`,
			`--metadata-secret-file: /dev/null is empty`,
			`--dhcp-lease-time: 1m0s is not in 2m0s..87600h0m0s, in whole seconds`,
			`--audit-interval: 0s is less than a second`,
		}},
		{"half of metadata", []string{"--controller=127.0.0.1:1", "--metadata-url=http://nova:8775"}, nil, []string{"--metadata-url and --metadata-secret-file go together"}},
		{"no secret", []string{"--controller=127.0.0.1:1", "--metadata-url=http://nova:8775", "--metadata-secret-file=/nowhere"}, nil,
			[]string{"--metadata-secret-file: open /nowhere: no such file or directory"}},
		{"environment", []string{"--controller=127.0.0.1:1"}, map[string]string{"WEFT_INSECURE": "perhaps"},
			[]string{`WEFT_INSECURE: invalid argument "perhaps" for "--insecure" flag: strconv.ParseBool: parsing "perhaps": invalid syntax`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(t, c.env, c.args...)
			if err == nil {
				t.Fatal("no error")
			}
			if d := cmp.Diff(c.want, strings.Split(err.Error(), "\n")); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
		})
	}
}
