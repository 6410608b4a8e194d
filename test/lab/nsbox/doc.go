// Package nsbox runs trees of processes in namespaces of their own.
//
// A box has its own PID, mount, network and UTS namespaces. Its first process is this program again, as init: it
// serves a control socket, starts and restarts the processes it is asked for, and buries orphans. A box may hold
// further boxes. The kernel kills every process of a PID namespace with its init, and a network namespace goes with its
// last process. So one killed process ends a box with all that is in it, whatever state it was in, and
// nothing of it remains: no process, link, mount or namespace.
//
// A box is known by its control socket alone. Who can connect has a live box at the other end, and the kernel says
// which process that is; there are no pid files that could name a stranger.
//
// The package needs root, or CAP_SYS_ADMIN and CAP_NET_ADMIN. The program must call Main first thing in main, and a
// test binary in TestMain.
package nsbox
