package program

import (
	"bytes"
	"os/exec"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestVersion(t *testing.T) {
	info := func(main string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: main}, Settings: settings}
	}
	commit, dirty := debug.BuildSetting{Key: "vcs.revision", Value: "05a7f1b6c2ee0fdbcb0a"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, c := range []struct {
		name, stamped string
		info          *debug.BuildInfo
		want          string
	}{
		{"make knows best", "v0.2.0-3-g05a7f1b-dirty", info("v0.0.0-20260304120000-05a7f1b6c2ee", commit), "v0.2.0-3-g05a7f1b-dirty"},
		{"go install of a version", "", info("v0.2.0"), "v0.2.0"},
		{"go build in a checkout", "", info("v0.0.0-20260304120000-05a7f1b6c2ee+dirty", commit, dirty), "v0.0.0-20260304120000-05a7f1b6c2ee+dirty"},
		{"a commit and no version", "", info("(devel)", commit), "05a7f1b6c2ee"},
		{"more than a commit", "", info("(devel)", commit, dirty), "05a7f1b6c2ee-dirty"},
		{"go build -buildvcs=false", "", info("(devel)"), "unknown"},
		{"go test", "", info(""), "unknown"},
		{"no modules", "", nil, "unknown"},
	} {
		if got := version(c.stamped, c.info); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// The linker says nothing about a variable that does not exist.
func TestMakeStampsTheVersion(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is what names the version")
	}
	describe := exec.Command("git", "-c", "safe.directory=*", "describe", "--always")
	want, err := describe.Output()
	if err != nil {
		t.Skip("no checkout, no version: ", err)
	}
	plan, err := exec.Command("make", "-n", "-C", "../../..", "build").CombinedOutput()
	if err != nil {
		t.Fatalf("make -n build: %v\n%s", err, plan)
	}
	flags := regexp.MustCompile(`-ldflags "([^"]*)"`).FindSubmatch(plan)
	if flags == nil {
		t.Fatalf("make build passes no flags to the linker:\n%s", plan)
	}
	out, err := exec.Command("go", "run", "-buildvcs=false", "-ldflags", string(flags[1]), "./testdata/print").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.TrimSpace(string(out)); strings.TrimSuffix(got, "-dirty") != strings.TrimSpace(string(want)) {
		t.Errorf("version %s, want %s", got, want)
	}
}

func TestLogger(t *testing.T) {
	for _, c := range []struct{ args, want, err string }{
		{"", "level=INFO msg=hello\n", ""},
		{"--log-level=DEBUG --log-format=json", `"level":"INFO","msg":"hello"}` + "\n", ""},
		{"--log-level=warn", "", ""},
		{"--log-level=loud --log-format=xml", "", "--log-level: \"loud\" is none of debug, info, warn, error\n--log-format: \"xml\" is neither text nor json"},
	} {
		var l Log
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		l.Flags(f)
		if err := f.Parse(strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		log, err := l.Logger(&out)
		switch {
		case err != nil && err.Error() != c.err, err == nil && c.err != "":
			t.Errorf("%q: error %v, want %s", c.args, err, c.err)
		case err == nil:
			log.Info("hello")
			if got := out.String(); !strings.HasSuffix(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("%q: %s, want …%s", c.args, got, c.want)
			}
		}
	}
}
