// Package channel is one OpenFlow channel, the specification's word for the connection between a controller and a switch
// (OpenFlow 1.5.1, 6): handshake, keep-alive, requests and their answers, atomic bundles, complete dumps, the flow
// monitor. It works on any net.Conn and in both directions: the controller accepts, the node agent dials.
//
// One goroutine reads, strictly in the order of arrival, so that an error is known before the barrier behind it. One
// goroutine writes, from a bounded queue and under a deadline: a switch that does not read is cut off and keeps nobody
// waiting. A peer that says nothing, or what no decoder understands, is cut off with an error that says what and where.
package channel
