package channel

import (
	"context"
	"fmt"

	"github.com/weft-sdn/weft/openflow"
)

// Monitor asks the switch to tell every change of a row that others than this channel make: other controllers,
// ovs-ofctl, timeouts, the learn action. What it tells goes to Events.FlowUpdates; what this channel does itself comes
// abbreviated.
func (c *Conn) Monitor(ctx context.Context) error {
	req := openflow.FlowMonitorRequest{ID: 1, Command: openflow.MonitorAddCommand, Table: openflow.AllTables,
		Flags:   openflow.MonitorAdd | openflow.MonitorDelete | openflow.MonitorModify | openflow.MonitorInstructions,
		OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}
	err := c.multipart(ctx, openflow.MultipartFlowMonitor, req.Append(nil, c.version), func(body []byte) error {
		c.updates(body)
		return nil
	})
	if err != nil {
		return fmt.Errorf("flow monitor: %w", err)
	}
	return nil
}

func (c *Conn) updates(body []byte) {
	if c.cfg.Events != nil && len(body) > 0 {
		c.cfg.Events.FlowUpdates(c, body)
	}
}
