// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// open turns paths into files to read. Those that cannot be had are in the
// error; the others are returned all the same.
func open(paths []string, stdin io.Reader) ([]fact.File, error) {
	var files []fact.File
	var errs []error
	for _, p := range paths {
		if p == "-" {
			files = append(files, fact.File{Name: "-", Open: func() (io.ReadCloser, error) { return io.NopCloser(stdin), nil }})
			continue
		}
		info, err := os.Stat(p)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("read evidence: %w", err))
		case !info.IsDir():
			files = append(files, fact.File{Name: p, Open: func() (io.ReadCloser, error) { return os.Open(p) }})
		default:
			tree := fact.Tree(os.DirFS(p))
			if len(tree) == 0 {
				errs = append(errs, fmt.Errorf("read evidence: %s: no files in the folder", p))
			}
			for _, f := range tree {
				if len(paths) > 1 {
					f.Name = path.Join(p, f.Name)
				}
				files = append(files, f)
			}
		}
	}
	return files, errors.Join(errs...)
}
