// Package cli is the weft command line: what people type to see and change networks, and to find out why a VM cannot be
// reached. It speaks to the controller's API and to nothing else; validation and defaults are the server's.
//
// Commands about objects are made from the table in package kind. Answers go to stdout, messages to stderr; package exit
// has the codes.
package cli
