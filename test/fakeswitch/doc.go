// Package fakeswitch is an OpenFlow switch in memory, for tests and benchmarks of what speaks to switches.
//
// It keeps flow tables and meters, no groups, and answers as Open vSwitch 3.1 does, its traps included: a bundle whose
// add was refused commits the rest when it is told to, changes that a connection makes itself come to its flow monitor
// abbreviated, and a role request with a lower generation id is stale. A test holds the two against each other. It
// forwards no packets, and rows do not time out.
//
// It can also be told to misbehave: to be mute, slow, deaf, to refuse rows, to lie, and to send any bytes.
package fakeswitch
