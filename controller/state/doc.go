// Package state holds every object at one store revision: immutable snapshots with the indexes that views, allocations
// and the API need. A snapshot costs nothing to take, and a reader never waits for a writer.
//
// Objects handed out are shared: nobody may change them. Put a changed copy instead.
package state
