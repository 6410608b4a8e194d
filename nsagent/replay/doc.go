// Package replay gives a bridge its flows back when the switch has lost them and no controller speaks.
//
// A controller says when a bridge's flows are complete (a checkpoint); the package then reads them over the bridge's
// management socket and keeps them in a file. When a bridge turns up without any flow of ours – ovs-vswitchd was
// restarted, or the machine – and no controller programs it, the saved flows go in as one bundle. Over a bridge that
// holds rows of ours nothing is ever replayed.
//
// Rows name ports by numbers, and numbers change. The file therefore says which interface each number meant: its name
// and its iface-id. Rows are renumbered to where that interface is now; a row that needs an interface which is not
// there waits until it comes. Only ports in matches, outputs and resubmits are renumbered, not those that rows keep in
// registers.
package replay
