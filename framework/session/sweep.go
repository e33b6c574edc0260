// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cniproof/cniproof/framework/check"
)

// sweep removes what an earlier run left in the directory of a round, where
// results would be taken for this run's. Of a directory that somebody else uses
// too it removes nothing else.
func sweep(dir string) error {
	var errs []error
	for _, c := range check.Default.Checks() {
		for _, suffix := range []string{".json", ".json.new", ".lock"} {
			if err := os.Remove(filepath.Join(dir, "results", c.ID+suffix)); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		bundle := filepath.Join(dir, "evidence", c.ID)
		if _, err := os.Stat(filepath.Join(bundle, "manifest.json")); err == nil {
			errs = append(errs, os.RemoveAll(bundle))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove what an earlier run left in %s: %w", dir, err)
	}
	return nil
}
