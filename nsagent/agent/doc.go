// Package agent is the node agent's loop: it receives what must be true on the host, compares it with what is, makes it
// true, and says so.
//
// One goroutine owns everything. It wakes for a message from the controller, for a change of the database or of the
// namespaces, and for a deadline, and always does the same: apply what is desired, tell what was found. Connections to
// the database and to a controller are kept by goroutines of their own, and each comes and goes without the other.
//
// Namespaces are worked on aside (package namespaces): a kernel or a program that hangs delays neither the database nor
// an answer. Their devices are plugged into the integration bridge when they exist, and are deleted when they have left
// it; in between their ports are bound as those of VMs are.
//
// # What it answers
//
// A Delta is answered when all of it is in force in the switch and in the namespaces, or when it is clear what is not; at
// the latest after Config.ApplyTimeout. The answer names every resource of the host that is not true then, not only
// those of the Delta: Ack when there is none, Nack otherwise. When that changes later – a tunnel that could not be made
// works, an interface vanishes – the last Delta is answered again, with the same nonce, by the Ack or Nack that holds
// now.
//
// A resource that cannot be valid is not taken in: its error is in the answer, and the version that was in force before
// stays.
//
// # What it keeps
//
// The desired state is on disk before it is acknowledged, and is in force again after a restart without any controller.
// Nothing is removed from the host before a controller has sent a full Delta to this process: a state that was lost
// or is old must not tear down what works.
package agent
