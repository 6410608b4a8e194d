// Package store keeps the durable intent: what people asked for, what hosts reported, and everything that was allocated,
// in etcd, embedded or external.
//
// It promises:
//   - One transaction for one change. Every transaction compares and rewrites one key, the clock, so that all writers,
//     on several controllers too, come one after the other; what a change found (a free address, a name that nobody has)
//     is still true when it is committed. Allocations need no locks and no keys of their own.
//   - What Update has answered is on disk, and in the Snapshot of this controller.
//   - The state advances only by what etcd says, one revision at a time: every controller goes through the same states.
//   - Reads never wait for etcd, and go on when it is away, full or broken.
//   - What follows from a change is in the same transaction: where ports are bound, where routers and DHCP servers are, which
//     hosts serve floating IPs. Only what one transaction cannot hold comes in the next one, at once.
//   - All that is wrong with a request is told at once, by typed errors, and changes nothing.
//
// It refuses to guess: contents that it does not understand, a directory that it cannot have for itself, and a history
// that is gone (ErrCompacted) are errors.
package store
