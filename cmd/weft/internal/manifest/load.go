package manifest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
)

// Load reads the files of the paths: "-" is stdin, a directory stands for its *.yaml, *.yml and *.json, in order of
// name. With any error the objects must not be used.
func Load(paths []string, stdin io.Reader) ([]*Object, []error) {
	var objects []*Object
	var errs []error
	take := func(name string, in io.Reader) {
		o, e := Read(name, in)
		objects, errs = append(objects, o...), append(errs, e...)
	}
	for _, path := range paths {
		if path == "-" {
			take("stdin", stdin)
			continue
		}
		names, err := files(path)
		if err != nil {
			errs = append(errs, err)
		}
		for _, name := range names {
			f, err := os.Open(name)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			take(name, f)
			f.Close()
		}
	}
	return objects, append(errs, twice(objects)...)
}

// files lists what a path stands for.
func files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(e.Name())) {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no *.yaml, *.yml or *.json in the directory", path)
	}
	return names, nil
}

// twice finds objects that are there more than once.
func twice(objects []*Object) []error {
	var errs []error
	first := map[string]*Object{}
	for _, o := range objects {
		identity := kind.Identity(o.Message)
		if identity == "" {
			continue
		}
		key := o.Kind.Name + " " + identity
		if f := first[key]; f != nil {
			errs = append(errs, &Problem{File: o.File, Line: o.Line, Text: fmt.Sprintf("%s is there twice, first at %s", o.Subject(), at(f.File, f.Line))})
			continue
		}
		first[key] = o
	}
	return errs
}
