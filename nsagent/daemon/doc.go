// Package daemon runs programs that go on by themselves inside namespaces, one in each: DHCP servers, and what sends router
// advertisements.
//
// There is one verb. Ensure is told a command line and the files that the program reads; it writes them, starts the program, makes
// it read files that changed (SIGHUP), and starts it anew only when its command line has changed, its namespace is another one, or
// it has died. When nothing differs, nothing is done. A daemon runs on when the agent ends, and the next agent takes it up again:
// a service manager must therefore end only the agent's own process (systemd: KillMode=process).
//
// A daemon is found by its pid file, its command line, its network namespace and its directory, and held by a pidfd: a number that
// was used again is never signalled. What it has read is written down beside its files, so that an agent that was killed between
// writing them and the signal catches up.
//
// The programs give up root, and read their files as ordinary users afterwards. Their directories are therefore open to others, and
// so is, for passing through, the agent's own.
package daemon
