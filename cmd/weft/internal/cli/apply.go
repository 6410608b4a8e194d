package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weft-sdn/weft/cmd/weft/internal/client"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	"github.com/weft-sdn/weft/cmd/weft/internal/manifest"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// fileFormat explains files; "apply" and "diff" show it.
const fileFormat = `A file has YAML documents, each with "kind" and the fields that the API has, flat; names, ids and unique id prefixes refer
to objects of the same files or of the server:

  kind: network
  name: blue
  provider_network_type: vxlan
  labels: {team: web}
  ---
  kind: subnet
  name: blue-v4
  network_id: blue
  cidr: 10.0.1.0/24
  gateway_ip: 10.0.1.1            # or none
  allocation_pools:
  - {start: 10.0.1.10, end: 10.0.1.99}
  ---
  kind: port
  name: vm1
  network_id: blue
  fixed_ips:
  - {subnet_id: blue-v4, ip_address: 10.0.1.10}
  binding_host_id: compute1
  ---
  instance:                       # a block is taken as a whole
    hostname: vm1
    user_data: |                  # or base64:CODE, for what is no text
      #cloud-config
  ---
  kind: host
  id: compute1                    # a host's id is its hostname
  bridge_mappings: {physnet1: br-ex}
  ---
  kind: router
  name: edge
  external_gateway_info: {network_id: public}
  interfaces:
  - {subnet_id: blue-v4}
  ---
  kind: floatingip
  floating_network_id: public
  floating_ip_address: 203.0.113.7
  port_id: vm1

Objects are matched by id, else by kind and name (subnets and ports: within their network; port forwardings: within their
floating IP), else a floating IP by its address and a port forwarding by its protocol and external ports. Only the fields
that are there are changed; one that is there and empty ([], {}, "") is emptied. Unknown fields are refused. Status and other
fields that only the server sets are read over, so what "weft get -o yaml" and "weft export" print can be edited and applied.`

// files is the -f flag.
func filesFlag(cmd *cobra.Command) *[]string {
	paths := cmd.Flags().StringArrayP("filename", "f", nil, "file, directory (its *.yaml, *.yml and *.json) or - for stdin; again for each")
	// The flag was defined in the line above.
	_ = cmd.MarkFlagRequired("filename")
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
	return paths
}

func (a *app) applyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make the objects of files true, all or nothing",
		Long:  "Create and change objects so that they are as files say, in one transaction: all or nothing.\n\n" + fileFormat,
		Example: `  weft apply -f net.yaml
  weft apply -f net.yaml --dry-run
  weft apply -f dir/ --wait=2m
  weft export | weft apply -f -`,
		Args: cobra.NoArgs,
	}
	paths := filesFlag(cmd)
	dry := dryRunFlag(cmd.Flags())
	wait := cmd.Flags().Duration("wait", 0, "then wait until all hosts have it, this long at most")
	cmd.Flags().Lookup("wait").NoOptDefVal = "30s"
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, _ []string) error {
		if *wait < 0 || *wait > 0 && *dry {
			return exit.New(exit.Usage, "--wait takes a time above 0, and does not go with --dry-run")
		}
		resp, _, err := a.applyFiles(ctx, c, *paths, *dry)
		if err != nil {
			return err
		}
		for _, r := range resp.GetResults() {
			a.result(r, *dry)
		}
		if *wait > 0 {
			return a.waitApplied(ctx, c, resp.GetRevision(), *wait)
		}
		return nil
	})
	return cmd
}

// result prints what became of one object, and what changed in it.
func (a *app) result(r *weftv1.ApplyResult, dry bool) {
	k := kind.Find(r.GetObject().GetKind())
	if k == nil {
		k = &kind.Kind{Name: r.GetObject().GetKind()}
	}
	a.did(k, refName(r.GetObject()), r.GetAction(), dry, "")
	a.changes(r)
}

// changes prints what differs in one object.
func (a *app) changes(r *weftv1.ApplyResult) {
	for _, ch := range r.GetChanges() {
		a.out.Printf("    %s: %s -> %s\n", strings.TrimPrefix(ch.GetPath(), "metadata."), old(ch.GetOldValue()), old(ch.GetNewValue()))
	}
}

// old shows that a value is empty.
func old(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

// refName is what people call an object.
func refName(r *weftv1.ObjectRef) string {
	return cmp.Or(r.GetName(), r.GetId(), "(new)")
}

// applyFiles reads files and sends their objects; the results are in their order.
func (a *app) applyFiles(ctx context.Context, c *client.Client, paths []string, dry bool) (*weftv1.ApplyResponse, []*manifest.Object, error) {
	objects, err := a.load(ctx, paths)
	if err != nil {
		return nil, nil, err
	}
	if len(objects) == 0 {
		return nil, nil, exit.New(exit.Usage, "the files have no objects")
	}
	req := &weftv1.ApplyRequest{ValidateOnly: dry}
	for _, o := range objects {
		obj := o.Kind.Wrap(o.Message)
		// A field that is there and empty is to be emptied, and one that is not there to be left as it is.
		obj.UpdateMask = &fieldmaskpb.FieldMask{Paths: o.Fields}
		req.Objects = append(req.Objects, obj)
	}
	ctx, cancel := c.Limit(ctx)
	defer cancel()
	resp, err := c.Weft.Apply(ctx, req)
	if err == nil {
		return resp, objects, nil
	}
	e := c.Fail(err, placeIn(objects))
	if e.Code != exit.Unknown {
		e.Notes = append(e.Notes, fmt.Sprintf("nothing was applied (0 of %d)", len(objects)))
	}
	return nil, nil, e
}

// load reads files. The context ends it although nobody ends stdin.
func (a *app) load(ctx context.Context, paths []string) (objects []*manifest.Object, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var errs []error
		if objects, errs = manifest.Load(paths, a.In); len(errs) > 0 {
			err = unreadable(errs)
		}
	}()
	select {
	case <-done:
		return objects, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// unreadable is the end when files have errors.
func unreadable(errs []error) error {
	e := &exit.Error{Code: exit.Usage}
	for _, err := range errs {
		e.Messages = append(e.Messages, err.Error())
		var p *manifest.Problem
		if errors.As(err, &p) {
			e.Try = "weft help apply, for the form of files"
		}
	}
	e.Notes = []string{"nothing was sent"}
	return e
}

// applyField is a field's path in an ApplyRequest: "objects[2].subnet.cidr", the kind in it or not.
var applyField = regexp.MustCompile(`^objects\[(\d+)\](?:\.(.*))?$`)

// placeIn finds the file and line that a field of an ApplyRequest came from.
func placeIn(objects []*manifest.Object) exit.Place {
	return func(field string) (subject, path string) {
		m := applyField.FindStringSubmatch(field)
		if m == nil {
			return "", field
		}
		i, err := strconv.Atoi(m[1])
		if err != nil || i >= len(objects) {
			return "", field
		}
		o := objects[i]
		path = strings.TrimPrefix(strings.TrimPrefix(m[2], o.Kind.Name), ".")
		return fmt.Sprintf("%s: %s", o.Where(path), o.Subject()), path
	}
}

func (a *app) diffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff -f FILE",
		Short: "Show what apply would change",
		Long: `Show what "weft apply" of the same files would change: "+" objects would be made, "~" objects changed. Objects that are
as the files say are not shown. Ends with 0 when there is no difference, 1 when there is one, more for errors.`,
		Example: `  weft diff -f net.yaml
  weft diff -f dir/
  weft diff -f - < net.yaml`,
		Args: cobra.NoArgs,
	}
	paths := filesFlag(cmd)
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, _ []string) error {
		resp, objects, err := a.applyFiles(ctx, c, *paths, true)
		if err != nil {
			return err
		}
		same := true
		for i, r := range resp.GetResults() {
			mark, tone := "~", screen.Busy
			switch r.GetAction() {
			case "unchanged":
				continue
			case "created":
				mark, tone = "+", screen.Good
			}
			same = false
			a.out.Paint(tone, mark)
			a.out.Printf(" %s/%s\n", r.GetObject().GetKind(), refName(r.GetObject()))
			a.changes(r)
			if r.GetAction() == "created" && i < len(objects) {
				if err := a.whole(objects[i]); err != nil {
					return err
				}
			}
		}
		if same {
			return nil
		}
		return exit.Answer()
	})
	return cmd
}

// whole prints the fields that a file has for an object that would be made.
func (a *app) whole(o *manifest.Object) error {
	var b strings.Builder
	if err := manifest.WriteYAML(&b, o.Given()); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "kind: ") {
			a.out.Printf("    %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	return nil
}

func (a *app) waitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wait",
		Short: "Wait until all hosts have what was asked for",
		Long: `Wait until every host has programmed all changes up to a store revision, --timeout (default 30s) at most. Ends with 0
when they have, and with 1 and the hosts that lag when they have not.`,
		Example: `  weft wait
  weft wait --revision 418 --timeout 2m`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	revision := cmd.Flags().Int64("revision", 0, "store revision; 0: the newest")
	cmd.RunE = a.run(func(ctx context.Context, c *client.Client, _ []string) error {
		limit := 30 * time.Second
		if cmd.Flags().Changed("timeout") {
			limit = a.timeout
		}
		return a.waitApplied(ctx, c, *revision, limit)
	})
	return cmd
}

// grace is how much later than the server we give up: the server's answer names the hosts that lag.
const grace = 5 * time.Second

// waitApplied waits until all hosts have a revision (0: the newest).
func (a *app) waitApplied(ctx context.Context, c *client.Client, revision int64, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit+grace)
	defer cancel()
	began := a.Now()
	resp, err := c.Weft.WaitApplied(ctx, &weftv1.WaitAppliedRequest{Revision: revision, Timeout: durationpb.New(limit)})
	if err != nil {
		return c.Fail(err, exit.At("wait"))
	}
	if resp.GetApplied() {
		a.out.Printf("revision %d is on all hosts\n", resp.GetRevision())
		a.err.Printf("after %s\n", a.Now().Sub(began).Round(time.Millisecond))
		return nil
	}
	for _, l := range resp.GetLagging() {
		a.out.Printf("%s has revision %d: %s\n", l.GetHost(), l.GetAppliedRevision(), l.GetReason())
	}
	e := exit.New(exit.No, fmt.Sprintf("revision %d is not on all hosts after %s", resp.GetRevision(), limit))
	if len(resp.GetLagging()) > 0 {
		e.Try = "weft describe host " + resp.GetLagging()[0].GetHost()
	}
	return e
}
