// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cniproof/cniproof/framework/config"
)

// record is what this package has changed on the machine and Stop must undo.
type record struct {
	Dockerd  process `json:"dockerd"`
	Resolver process `json:"resolver"`
	// Systemd says that Dockerd is the main process of docker.service.
	Systemd bool `json:"systemd,omitempty"`
	// Sysctls holds the values from before they were raised, by name.
	Sysctls map[string]string `json:"sysctls,omitempty"`
}

// openDir returns config.Home()/engine, locked against other processes until
// unlock is called. It waits for another holder, at most lockLimit.
func openDir(ctx context.Context) (dir string, unlock func(), err error) {
	home, err := config.Home()
	if err != nil {
		return "", nil, err
	}
	dir = filepath.Join(home, "engine")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, fmt.Errorf("create the engine's state directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", nil, fmt.Errorf("open the engine's lock: %w", err)
	}
	bounded, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	err = poll(bounded, func() bool {
		return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
	})
	if err != nil {
		file.Close()
		return "", nil, fmt.Errorf("lock %s, which another run of cniproof holds: %w", file.Name(), err)
	}
	return dir, func() { file.Close() }, nil
}

func (r *record) load(dir string) error {
	path := filepath.Join(dir, "record.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what the engine changed on this machine: %w", err)
	}
	if err := json.Unmarshal(text, r); err != nil {
		return fmt.Errorf("parse %s (delete it if no engine of ours runs): %w", path, err)
	}
	return nil
}

func (r *record) save(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode what the engine changed on this machine: %w", err)
	}
	return replaceFile(filepath.Join(dir, "record.json"), append(text, '\n'))
}

// replaceFile writes path through a rename: no reader and no interruption sees half of it.
func replaceFile(path string, text []byte) error {
	next := path + ".next"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}
