package brtun

import (
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/dvr"
	"github.com/weft-sdn/weft/ofapps/flow"
)

// Router renders the rows that keep a distributed router on its host, for one of its networks. A provider network has
// none here.
func Router(h view.Host, r view.RoutedNetwork) []flow.Flow {
	if !r.Network.Tunnelled() {
		return nil
	}
	return dvr.Keep(DvrProcess, PatchLvToTun, FloodToTun, h, r)
}
