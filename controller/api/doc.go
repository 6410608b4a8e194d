// Package api is the door of the controller: gRPC services, and the same over REST and JSON.
//
// A request becomes a model value, is judged and committed in one transaction of the store, and is answered from what
// was committed; there is no network logic here. What a request can count on:
//
//   - A refused request wrote nothing, and its error lists everything that is wrong with it: google.rpc.BadRequest for
//     fields, PreconditionFailure for users of what was to be deleted, and one ErrorInfo with a reason for programs.
//   - Wherever an object is named, its id, a unique beginning of its id (4 characters or more) or a unique name will do.
//   - validate_only runs the very transaction and rolls it back.
//   - Statuses are derived from what hosts acknowledged, never from what was asked for. That of ports is a function of the
//     store alone; that of routers, floating IPs, port forwardings and DHCP also tells what agents say at the moment.
package api
