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

// Path resolves a path a person gave. Tests run in their package's directory,
// so a relative path that is not there is looked for from the module's root,
// where the person most likely typed it; a path that exists nowhere belongs to
// the module's root too. Outside a module, paths stay as they are.
func Path(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		return path
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, path)
		}
	}
	return path
}
