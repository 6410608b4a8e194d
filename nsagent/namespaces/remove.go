package namespaces

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/weft-sdn/weft/nsagent/kernel"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// remove takes the namespace away, with what runs in it: at once what carries traffic, and its devices when they have left
// br-int.
func (w *worker) remove(ctx context.Context, plugged map[string]bool) (gone bool) {
	w.settled, w.remembered, w.announcer, w.target = nil, false, announcer{}, plan.Namespace{}
	if w.name == plan.Home {
		return w.removeHome(ctx, plugged)
	}
	w.stopServers(ctx)
	if w.ns == nil {
		ns, err := w.k.host.Open(w.name)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, kernel.ErrTaken):
			return true
		case err != nil:
			w.again("not opened", err)
			return false
		case !ns.Ours():
			if err := ns.Close(); err != nil {
				w.k.log.Warn("namespace not closed", "namespace", w.name, "err", err)
			}
			return true // somebody else's, with a name like ours
		}
		w.ns, w.found = ns, true
	}
	links, err := w.ns.Links()
	if err != nil {
		w.again("not looked at", err)
		return false
	}
	var steps []plan.Step
	waits := false
	for _, l := range withPlugs(links, plugged) {
		switch {
		case l.Name == "lo":
		case l.Tap.Plugged:
			waits = true
			if l.Up {
				steps = append(steps, plan.StopLink{Link: l})
			}
		default:
			steps = append(steps, plan.DeleteLink{Link: l})
		}
	}
	for _, f := range w.ns.Apply(ctx, steps, nil) {
		w.again("not removed", f)
		return false
	}
	w.k.met.steps.Add(float64(len(steps)))
	if waits {
		return false // until Unplugged
	}
	return w.delete()
}

func (w *worker) delete() bool {
	if w.stopWatch != nil {
		w.stopWatch()
		w.stopWatch = nil
	}
	ns := w.ns
	w.ns = nil
	if err := ns.Delete(); err != nil {
		w.again("not deleted", err)
		return false
	}
	w.k.log.Info("namespace removed", "namespace", w.name, "found", w.found)
	if w.found {
		w.k.notify(Notice{Namespace: w.name, Reason: NamespaceRemoved, Message: "it was left behind, and nobody desires it"})
	}
	return true
}

func (w *worker) again(what string, err error) {
	w.k.log.Warn("namespace "+what, "namespace", w.name, "err", err)
	w.retryAt = time.Now().Add(w.backoff.NextBackOff())
}
