// Package namespaces keeps the network namespaces of a host as they are desired.
//
// One worker for each namespace observes it, applies the difference, and goes on watching: what somebody else changes is
// put right and told. A command that hangs in one namespace stops no other. Namespaces that nobody desires any more go,
// once the whole desired state is known; what is not ours is left alone.
package namespaces
