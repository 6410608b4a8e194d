package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// switchSpec is a machine with a disk for Open vSwitch: its database and its logs outlive the machine.
func (l *Lab) switchSpec(name string) (nsbox.Spec, error) {
	spec := l.spec(name)
	spec.Binds = map[string]string{}
	for at, dir := range map[string]string{"/etc/openvswitch": "etc-openvswitch", "/var/log/openvswitch": "log"} {
		dir = filepath.Join(l.Dir, name, dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return spec, fmt.Errorf("disk of %s: %w", name, err)
		}
		spec.Binds[at] = dir
	}
	return spec, nil
}

// startSwitch starts Open vSwitch in a box, with an empty database if there is none, and waits for the database.
func startSwitch(ctx context.Context, l *Lab, box *nsbox.Box) error {
	const create = "test -e /etc/openvswitch/conf.db || exec ovsdb-tool create /etc/openvswitch/conf.db " + schema
	if _, err := box.Exec(ctx, "sh", "-c", create); err != nil {
		return err
	}
	if err := startOVSDB(ctx, l, box); err != nil {
		return err
	}
	// Open vSwitch's tools wait a whole second before they try again.
	if _, err := box.Exec(ctx, "sh", "-c", "until test -S /run/openvswitch/db.sock; do sleep 0.01; done"); err != nil {
		return err
	}
	// As ovs-ctl does, the version is told, and which machine it is.
	version, err := box.Exec(ctx, "sh", "-c", `ovs-vswitchd --version | sed -n '1s/.* //p'`)
	if err != nil {
		return err
	}
	if _, err := box.Exec(ctx, "ovs-vsctl", "--retry", "--timeout=20", "--no-wait", "--", "init", "--", "set", "Open_vSwitch", ".",
		"ovs_version="+strings.TrimSpace(version), "external_ids:hostname="+box.Name, "external_ids:system-id="+box.Name,
		// The machine is shared by all hosts: no thread per CPU and host.
		"other_config:n-handler-threads=1", "other_config:n-revalidator-threads=1"); err != nil {
		return err
	}
	return startVswitchd(ctx, l, box)
}

// startOVSDB starts ovsdb-server, which is restarted when it dies.
func startOVSDB(ctx context.Context, l *Lab, box *nsbox.Box) error {
	_, err := box.Start(ctx, nsbox.Command{
		Name: "ovsdb-server", Restart: restartDelay, Log: l.log(box.Name + "-ovsdb-server"),
		Argv: []string{"ovsdb-server", "/etc/openvswitch/conf.db", "--remote=punix:/run/openvswitch/db.sock",
			"--remote=db:Open_vSwitch,Open_vSwitch,manager_options", "--pidfile", "--log-file", "-vconsole:emer", "-vsyslog:emer"},
	})
	return err
}

// startVswitchd starts ovs-vswitchd, which is restarted when it dies.
func startVswitchd(ctx context.Context, l *Lab, box *nsbox.Box) error {
	_, err := box.Start(ctx, nsbox.Command{
		Name: "ovs-vswitchd", Restart: restartDelay, Log: l.log(box.Name + "-ovs-vswitchd"),
		Argv: []string{"ovs-vswitchd", "unix:/run/openvswitch/db.sock", "--pidfile", "--log-file", "-vconsole:emer", "-vsyslog:emer"},
	})
	return err
}
