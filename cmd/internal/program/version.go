// Package program is what the programs of Weft have in common: what version they are, and how they log.
package program

import (
	"runtime/debug"
)

// stamped is the version that the linker was told: -X …/cmd/internal/program.stamped=VERSION.
var stamped string

// Version is what this program was built from: what "git describe" called it when make built it, else what the Go tool
// wrote into it. "unknown" when neither knew, and never empty.
func Version() string {
	info, _ := debug.ReadBuildInfo()
	return version(stamped, info)
}

// version chooses. Info may be nil.
func version(stamped string, info *debug.BuildInfo) string {
	switch {
	case stamped != "":
		return stamped
	case info == nil:
		return "unknown"
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return "unknown"
	}
	return revision + dirty
}
