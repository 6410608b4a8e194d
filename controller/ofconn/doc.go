// Package ofconn accepts the OpenFlow connections of switches: TCP or TLS, handshake, admission by datapath id, one
// connection for each, and an end that is always told.
//
// What a peer does before it is admitted costs one goroutine and a bounded time, and a line of log that is rate limited.
// A switch is recognised by its datapath id; one that nobody knows is closed and never programmed.
package ofconn
