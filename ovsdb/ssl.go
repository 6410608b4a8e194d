package ovsdb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// SSL are the files, by absolute path, with which the switch connects to ssl: targets: ovs-vswitchd.conf.db(5), table
// SSL. There is one row of them for the whole switch. It reads the files, and reads them again when they change.
type SSL struct {
	PrivateKey, Certificate, CACert string
}

// encrypted lists the bridges that have a controller at an ssl: target.
func (d *Desired) encrypted() []Bridge {
	return slices.DeleteFunc(slices.Clone(d.Bridges), func(b Bridge) bool {
		return !slices.ContainsFunc(b.Controllers, func(target string) bool { return strings.HasPrefix(target, "ssl:") })
	})
}

// ssl gives the switch its files when a bridge needs them. A row that somebody else made stays, and is none of our
// business as long as the bridges connect with it.
func (x *differ) ssl() {
	bridges := x.want.encrypted()
	if len(bridges) == 0 {
		return
	}
	first, files, row := bridges[0].Resource(), x.want.SSL, x.have.ssl
	switch {
	case row == nil && files == SSL{}:
		for _, b := range bridges {
			x.problem(b.Resource(), "controllers", SSLMissing, "the switch has no certificate for %s: start the agent with --tls-cert, --tls-key and --tls-ca, or use ovs-vsctl set-ssl",
				strings.Join(b.Controllers, " "))
		}
	case row == nil:
		x.change(Change{Resource: first, Text: "the SSL row was missing"}, func(o *operations) {
			u := o.insert(tableSSL, ovsdb.Row{"private_key": files.PrivateKey, "certificate": files.Certificate, "ca_cert": files.CACert,
				"bootstrap_ca_cert": false, "external_ids": dict(map[string]string{ownedKey: "true"})})
			// Added and not set: when somebody else has made one meanwhile, the database refuses a second.
			o.mutate(tableRoot, x.have.root.UUID, addRef("ssl", u))
		})
	case files == SSL{} || row.files() == files && !(owned(row.ExternalIDs) && row.Bootstrap):
	case owned(row.ExternalIDs):
		x.change(Change{Resource: first, Text: fmt.Sprintf("the SSL row had %s, bootstrap_ca_cert %v", row.files(), row.Bootstrap)}, func(o *operations) {
			o.update(tableSSL, row.UUID, ovsdb.Row{"private_key": files.PrivateKey, "certificate": files.Certificate, "ca_cert": files.CACert, "bootstrap_ca_cert": false})
		})
	default:
		for _, b := range bridges {
			if !x.have.Connected(b.Name) {
				x.problem(b.Resource(), "controllers", SSLForeign, "SSL row %s is not ours and has %s, where %s is wanted, and no controller of %s is connected; if the row is not needed, remove it with ovs-vsctl del-ssl",
					row.UUID, row.files(), files, b.Name)
			}
		}
	}
}

func (r *sslRow) files() SSL { return SSL{r.PrivateKey, r.Certificate, r.CACert} }

func (s SSL) String() string {
	return fmt.Sprintf("private_key %s, certificate %s, ca_cert %s", s.PrivateKey, s.Certificate, s.CACert)
}
