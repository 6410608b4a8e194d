package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra/doc"

	"github.com/weft-sdn/weft/cmd/weft/internal/cli"
	"github.com/weft-sdn/weft/cmd/weft/internal/exit"
)

//go:generate go test . -run ^TestReference$ -update

var update = flag.Bool("update", false, "write the reference into docs/cli")

const referenceDir = "../../docs/cli"

// TestReference holds docs/cli to what the commands say about themselves.
func TestReference(t *testing.T) {
	env := cli.Env{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" },
		Lab: func() (string, bool) { return "", false }, Now: time.Now}
	root := rootCommand(env)
	root.DisableAutoGenTag = true
	dir := t.TempDir()
	if err := doc.GenMarkdownTree(root, dir); err != nil {
		t.Fatal(err)
	}
	codes := "## Exit codes\n\n```\n" + exit.Help + "\n```\n"
	if err := os.WriteFile(filepath.Join(dir, "exit-codes.md"), []byte(codes), 0o644); err != nil {
		t.Fatal(err)
	}
	want := readAll(t, dir)
	if *update {
		if err := os.RemoveAll(referenceDir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(referenceDir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(referenceDir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if d := cmp.Diff(want, readAll(t, referenceDir)); d != "" {
		t.Errorf("docs/cli is stale; run: go generate ./cmd/weft (-should be +is):\n%s", d)
	}
}

// readAll reads the files of a directory by name.
func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(b)
	}
	return files
}
