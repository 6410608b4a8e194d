package namespaces

import (
	"context"
	"errors"

	"github.com/weft-sdn/weft/nsagent/kernel"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// ensure opens the namespace, and makes it when there is none.
func (w *worker) ensure() (*kernel.Namespace, bool, error) {
	if w.name == plan.Home {
		ns, err := w.k.host.Home()
		return ns, false, err
	}
	return w.k.host.Ensure(w.name)
}

// assignZones gives each firewall bridge its zone: the one that rules of before name, or a new one.
func (w *worker) assignZones(ctx context.Context, sources *plan.Sources) error {
	if w.name != plan.Home {
		return nil
	}
	if w.zones == nil {
		if _, err := w.open(ctx); err != nil {
			return err
		}
		have, err := w.ns.Observe(ctx, plan.Namespace{Name: w.name})
		if err != nil {
			return err
		}
		w.zones = plan.ReadZones(have.IPv4)
	}
	w.zones = sources.Zones(w.zones)
	return nil
}

// around adds what br-int holds, of what is wanted.
func (w *worker) around(ctx context.Context, want plan.Namespace, have *plan.Namespace, plugged map[string]bool) {
	if w.name == plan.Home {
		have.Plugged = plugged
		arriving := plan.Arriving(want, *have)
		if plugged == nil { // which of them br-int holds, and whose connections are to be copied, is not known
			have.Held = map[string]error{}
			for _, b := range arriving {
				have.Held[b.Name] = kernel.ErrWaiting
			}
		} else {
			have.Held = w.ns.Hold(ctx, have.Tracked(arriving), func() { poke(w.news) })
		}
		for i, b := range have.Bridges {
			have.Bridges[i].Taught = w.taught[b.Name]
		}
	} else {
		have.Links = withPlugs(have.Links, plugged)
	}
}

// learned notes whose connections br-int has been made to know by steps, as long as their bridges are to go.
func (w *worker) learned(steps []plan.Step) {
	was := w.taught
	w.taught = map[string]bool{}
	for _, b := range w.target.Bridges {
		if b.Leaving && was[b.Name] {
			w.taught[b.Name] = true
		}
	}
	for _, s := range steps {
		if s, is := s.(plan.TeachConnections); is {
			for _, b := range s.Bridges {
				w.taught[b.Name] = true
			}
		}
	}
}

// bridged are the ports that br-int must hold for firewall bridges, and the machines that it gets back from bridges which go.
// taught are bridges whose connections it knows.
func bridged(want, have plan.Namespace, taught map[string]bool) []Device {
	is, wanted := map[string]plan.Bridge{}, map[string]bool{}
	for _, b := range have.Bridges {
		is[b.Name] = b
	}
	var out []Device
	for _, b := range want.Bridges {
		tap := have.Machine(b)
		if x, there := is[b.Name]; there && !x.Ours {
			out = append(out, Device{Name: plan.OuterOfBridge(b.Name), PortID: b.PortID, Taught: taught[b.Name]}) // plugged by who made it
			continue
		}
		if tap == "" || have.Held[b.Name] != nil {
			continue
		}
		wanted[b.Name] = true
		out = append(out, Device{Name: plan.OuterOfBridge(b.Name), PortID: b.PortID, MAC: b.MAC, Instead: tap, Taught: taught[b.Name]})
	}
	for _, b := range have.Bridges {
		if wanted[b.Name] || !b.Ours {
			continue
		}
		if tap := have.Machine(plan.Bridge{Name: b.Name, PortID: b.PortID}); tap != "" && (have.Plugged == nil || have.Plugged[plan.OuterOfBridge(b.Name)]) {
			out = append(out, Device{Name: tap, PortID: b.PortID, Instead: plan.OuterOfBridge(b.Name), Lent: true})
		}
	}
	return out
}

// knew says whether what a step puts right was right before, as far as the worker knows: a machine that comes is no drift.
func (w *worker) knew(s plan.Step) bool {
	var bridge string
	switch s := s.(type) {
	case plan.MakeBridge:
		bridge = s.Bridge.Name
	case plan.ChangeBridge:
		bridge = s.Bridge.Name
	case plan.TakeTap:
		bridge = s.Bridge
	default:
		return true
	}
	w.k.mu.Lock()
	defer w.k.mu.Unlock()
	for _, d := range w.devices {
		if d.Name == plan.OuterOfBridge(bridge) {
			return true
		}
	}
	return false
}

// removeHome takes away all that is ours in the host's own namespace. Machines are given back to br-int before their bridges
// go.
func (w *worker) removeHome(ctx context.Context, plugged map[string]bool) (gone bool) {
	if _, err := w.open(ctx); err != nil {
		w.again("not looked at", err)
		return false
	}
	want := plan.Namespace{Name: w.name}
	have, err := w.ns.Observe(ctx, want)
	if errors.Is(err, kernel.ErrNoCommand) {
		return true // then nothing of ours was ever there
	}
	if err != nil {
		w.again("not looked at", err)
		return false
	}
	w.around(ctx, want, &have, plugged)
	steps := plan.Diff(want, have)
	for _, f := range w.ns.Apply(ctx, steps, nil) {
		w.again("not removed", f)
		return false
	}
	w.k.met.steps.Add(float64(len(steps)))
	devices := bridged(want, have, nil)
	w.k.mu.Lock()
	if w.sources == nil {
		w.devices = devices
	}
	w.k.mu.Unlock()
	poke(w.k.changed)
	for _, b := range have.Bridges {
		if b.Ours && (plugged == nil || plugged[plan.OuterOfBridge(b.Name)] || len(b.Taps) > 0) {
			return false // until Unplugged
		}
	}
	w.zones, w.taught = nil, nil
	return true
}
