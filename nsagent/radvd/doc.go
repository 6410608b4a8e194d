// Package radvd runs what sends router advertisements: one radvd in each router's namespace that has something to tell.
//
// Ensure is told what a router advertises on which devices, and writes radvd's configuration file; how radvd is started, made to
// read it again, found and ended is package daemon's. A change is announced at once, by the process that runs, and nothing of what
// stays is taken back in between: on SIGHUP radvd says no goodbye.
//
// It is ended by SIGKILL alone. On SIGTERM and SIGINT radvd takes the router back (RFC 4861, section 6.2.5): its lifetime is 0 from
// then on, and machines would be without a default route until the router is heard on another host, where it has only moved to.
// Neutron does the same for the same reason.
//
// What is not advertised any more machines forget when its lifetime ends: a router after 300 s, name servers
// after 200 s; a subnet's addresses are preferred for four hours and valid for a day.
package radvd
