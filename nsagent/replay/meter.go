package replay

import (
	"context"
	"errors"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
)

// noteMeters notes the meters that a row names.
func noteMeters(named map[uint32]bool, actions []openflow.Action) {
	for _, a := range actions {
		if m, ok := a.(openflow.Meter); ok {
			named[m.ID] = true
		}
	}
}

// saveMeters writes the meters that saved rows name.
func saveMeters(ctx context.Context, conn *channel.Conn, w *writer, named map[uint32]bool) error {
	if len(named) == 0 {
		return nil
	}
	configs, err := conn.MeterConfigs(ctx)
	if err != nil {
		return err
	}
	for _, c := range configs {
		if !named[c.MeterID] {
			continue
		}
		m := openflow.MeterMod{Command: openflow.MeterAdd, Flags: c.Flags, MeterID: c.MeterID, Bands: c.Bands}
		if err := w.write(&m, conn.Version()); err != nil {
			return err
		}
	}
	return nil
}

// restoreMeters adds the meters of a set, which its rows need. One that the switch refuses is as good as there: a controller
// that has come meanwhile has added it, or the rows that name it will be refused as well.
func restoreMeters(ctx context.Context, conn *channel.Conn, meters []openflow.MeterMod) error {
	if len(meters) == 0 {
		return nil
	}
	mods := make([]openflow.Message, len(meters))
	for i := range meters {
		mods[i] = &meters[i]
	}
	err := conn.Tell(ctx, mods...)
	var refused *channel.BundleError
	if errors.As(err, &refused) {
		return nil
	}
	return err
}
