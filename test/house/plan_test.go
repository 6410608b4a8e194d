package house

// room is a package, or with "/..." a package and all below it, and the floor it lives on.
type room struct {
	floor   int
	pattern string
	// why it is there: what it knows, and what it must not need.
	why string
}

// plan is the whole house. A package imports lower floors only; below cmd/weft, cmd/weft-controller, cmd/weft-nsagent
// and test also its neighbours. Every package has exactly one line, the most exact that matches.
var plan = []room{
	{1, "openflow", "the codec: bytes and text of OpenFlow, nothing of networks"},
	{1, "proto/...", "generated from the .proto files"},
	{1, "docs/api", "the OpenAPI document, for the REST door"},
	{1, "controller/model", "the objects, as plain values"},
	{1, "controller/report", "what loops tell each other and the API, as plain values"},

	{2, "controller/state", "an immutable snapshot of all objects"},
	{2, "ofapps/flow", "tables and rows, compared and printed"},

	{3, "controller/view", "what one host must know, out of a snapshot; the pipelines are functions of it"},
	{3, "controller/policy", "who may talk to whom, by security groups; knows no flows"},
	{3, "controller/view/viewtest", "clouds to test views and pipelines with"},

	{4, "ofapps/dvr", "what the bridges out of a host have in common for distributed routers"},
	{4, "ofapps/brint", "a pipeline; does not know the other bridges'"},
	{4, "ofapps/brtun", "a pipeline; does not know the other bridges'"},
	{4, "ofapps/brex", "a pipeline; does not know the other bridges'"},

	{5, "ofapps", "all pipelines of a host together"},
	{5, "nsagent/plan", "what must be in a namespace, and the steps from what is there"},

	{6, "openflow/channel", "one OpenFlow connection; controller and agent both hold such"},
	{6, "controller/ofconn", "accepts the switches' connections"},
	{6, "controller/store", "etcd: the only place that allocates"},
	{6, "controller/agentconn", "accepts the agents' streams"},
	{6, "proto/leader", "connects to the controller that leads"},
	{6, "controller/journal", "what happened lately, for people"},
	{6, "controller/trace", "follows a packet over hosts, which it asks"},
	{6, "ovsdb", "Open vSwitch's database"},
	{6, "nsagent/...", "the agent's hands: each does one thing to the host"},

	{7, "controller/api", "the doors' common side: validate, commit, answer"},
	{7, "controller/hostsync", "the loop of one host"},
	{7, "nsagent/agent", "the agent's loop"},

	{8, "cmd/...", "flags, wiring, signals, and the command line"},
	{8, "test/...", "fixtures and scenarios"},
}

// sideways are the imports within a floor that are allowed.
var sideways = []struct{ from, to, why string }{
	{"controller/ofconn", "openflow/channel", "it accepts what channel then serves"},
	{"nsagent/tracker", "openflow/channel", "br-int sees packets that come by one"},
	{"nsagent/tracker", "nsagent/unixctl", "what is tracked only ovs-vswitchd tells"},
	{"nsagent/replay", "openflow/channel", "it reads and replays the rows of a bridge over one"},
	{"ofapps/brtun", "ofapps/dvr", "a distributed router stays on its host, by whichever bridge packets leave"},
	{"ofapps/brex", "ofapps/dvr", "a distributed router stays on its host, by whichever bridge packets leave"},
	{"nsagent/dnsmasq", "nsagent/daemon", "DHCP servers are daemons"},
	{"nsagent/radvd", "nsagent/daemon", "so is what sends router advertisements"},
	{"nsagent/namespaces", "nsagent/kernel", "it observes and applies what kernel can"},
	{"cmd/...", "cmd/internal/...", "what all programs have in common"},
	{"cmd/weft/...", "cmd/weft/...", "one program in parts"},
	{"cmd/weft-controller/...", "cmd/weft-controller/...", "one program in parts"},
	{"cmd/weft-nsagent/...", "cmd/weft-nsagent/...", "one program in parts"},
	{"cmd/weft/...", "test/lab/...", "weft demo is the lab as a product"},
	{"test/...", "test/...", "fixtures build on each other"},
}

// strangers may never meet: they share proto, and run on different machines.
var strangers = [2]string{"controller/...", "nsagent/..."}

// owners are modules that only one place may know.
var owners = []struct {
	module string
	by     []string
	why    string
}{
	{"github.com/ovn-kubernetes/libovsdb", []string{"ovsdb/..."}, "its cache and its traps stay in one place"},
	{"github.com/vishvananda/netlink", []string{"nsagent/kernel/...", "test/lab/..."}, "the kernel is changed in one place"},
	{"github.com/vishvananda/netns", []string{"nsagent/kernel/...", "test/lab/..."}, "a thread in the wrong namespace is a bug that wanders"},
	{"go.etcd.io/etcd", []string{"controller/store/...", "test/bench/..."}, "what is in etcd is one package's secret"},
}

// pureFloor is the highest floor without goroutines, clocks, input, output and logs.
const pureFloor = 5

// impure are packages that floors up to pureFloor may not import, with what of them is allowed all the same.
var impure = map[string][]string{
	"context": nil, "io/fs": nil, "log": nil, "log/slog": nil, "net/http": nil, "net/rpc": nil,
	"os": nil, "os/exec": nil, "os/signal": nil, "syscall": nil, "golang.org/x/sys/unix": nil,
	// The type of a MAC address and its text, and nothing that opens a socket.
	"net": {"HardwareAddr", "ParseMAC"},
	// Moments and lengths of time are values; asking for the time, and waiting, are not.
	"time": {"Time", "Duration", "Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour", "UTC", "Unix", "UnixMilli", "RFC3339", "RFC3339Nano"},
}

// maxLines is how long a file that people write may be. Most are a fifth of it.
const maxLines = 1000
