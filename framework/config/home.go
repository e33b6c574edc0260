// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"
	"path/filepath"
)

// Home returns the directory that holds what outlives a run on this machine:
// build caches (node-image/, images/), the engine's pid and settings (engine/)
// and the records of kept clusters (clusters/). It is $CNIPROOF_HOME, else
// "cniproof" in os.UserCacheDir. The directory exists when Home returns nil.
func Home() (string, error) {
	dir := os.Getenv("CNIPROOF_HOME")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache directory (set CNIPROOF_HOME to choose one): %w", err)
		}
		dir = filepath.Join(cache, "cniproof")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("create the state directory %s: %w", dir, err)
	}
	return dir, nil
}
