// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cniproof/cniproof/framework/config"
)

// record is what this machine's harness knows of one cluster it owns. It is
// written before the first container is made, so that whatever a killed
// creation leaves behind can be found.
type record struct {
	Name     string `json:"name"`
	Topology string `json:"topology"`
	// Given is KindOptions.Name.
	Given   string    `json:"given,omitempty"`
	Created time.Time `json:"created"`
	// Ready is set when the creation came to its end.
	Ready bool `json:"ready"`
	// Image is the node image and Inputs the hash of all the cluster is made of.
	Image  string `json:"image"`
	Inputs string `json:"inputs"`
	// Containers are the nodes as they were when the creation ended.
	Containers []containerRun `json:"containers,omitempty"`
	// Patches says what the host needed: "cgroup-v1", "missing-capabilities".
	Patches []string `json:"patches,omitempty"`
	// MadeModules tells that /lib/modules was not there before this cluster or
	// one that was there with it: the last of them removes it.
	MadeModules bool `json:"madeModules,omitempty"`
}

// containerRun is one run of a container: a restart gives another Started.
type containerRun struct {
	Name    string `json:"name"`
	ID      string `json:"id"`
	Started string `json:"started"`
}

// store is the directory of the records and their kubeconfigs.
type store struct{ dir string }

func openStore() (store, error) {
	home, err := config.Home()
	if err != nil {
		return store{}, err
	}
	s := store{dir: filepath.Join(home, "clusters")}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return store{}, fmt.Errorf("create the directory of cluster records: %w", err)
	}
	return s, nil
}

func (s store) kubeconfig(name string) string { return filepath.Join(s.dir, name+".kubeconfig") }
func (s store) path(name string) string       { return filepath.Join(s.dir, name+".json") }

// logs is where the node logs of a topology's last failed creation are kept.
func (s store) logs(topology string) string { return filepath.Join(s.dir, "failed-"+topology) }

// list returns the records of a topology, of all where it is empty, by name.
func (s store) list(topology string) ([]record, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list the cluster records: %w", err)
	}
	var records []record
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".json")
		if !ok {
			continue
		}
		r, err := s.load(name)
		if err != nil {
			return nil, err
		}
		if topology == "" || r.Topology == topology {
			records = append(records, r)
		}
	}
	return records, nil
}

func (s store) load(name string) (record, error) {
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		return record{}, fmt.Errorf("read the record of cluster %s: %w", name, err)
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return record{}, fmt.Errorf("parse the record %s: %w", s.path(name), err)
	}
	if r.Name != name {
		return record{}, fmt.Errorf("read the record %s: it is of a cluster %q", s.path(name), r.Name)
	}
	return r, nil
}

// makesModules tells whether dir is, or will be, there because of clusters of
// ours.
func (s store) makesModules(dir string) (bool, error) {
	records, err := s.list("")
	if err != nil {
		return false, err
	}
	_, err = os.Stat(dir)
	return errors.Is(err, os.ErrNotExist) || slices.ContainsFunc(records, func(r record) bool { return r.MadeModules }), nil
}

// save writes the record through a rename: a killed process leaves a whole one.
func (s store) save(r record) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the record of cluster %s: %w", r.Name, err)
	}
	next := s.path(r.Name) + ".next"
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the record of cluster %s: %w", r.Name, err)
	}
	if err := os.Rename(next, s.path(r.Name)); err != nil {
		return fmt.Errorf("write the record of cluster %s: %w", r.Name, err)
	}
	return nil
}

// remove forgets a cluster. The record goes last: while it is there, whatever
// else is left can be found.
func (s store) remove(name string) error {
	for _, path := range []string{s.kubeconfig(name), s.kubeconfig(name) + ".lock", s.path(name)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("forget cluster %s: %w", name, err)
		}
	}
	return nil
}

// lockLimit is for another Up of the topology, which may build a node image first.
const lockLimit = time.Hour

// lock keeps every other process from changing the clusters of a topology until
// unlock is called or this process ends. Where another one does, it calls wait
// once and waits as long as ctx allows.
func (s store) lock(ctx context.Context, topology string, wait func()) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(s.dir, topology+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of topology %s: %w", topology, err)
	}
	take := func(context.Context) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
	if err = take(ctx); errors.Is(err, syscall.EWOULDBLOCK) {
		wait()
		err = poll(ctx, take)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("wait for another run that changes the clusters of topology %s: %w", topology, err)
	}
	return func() { file.Close() }, nil
}

// owner returns the record of the cluster that has exactly these containers.
func (s store) owner(ids []string) (record, bool, error) {
	records, err := s.list("")
	if err != nil {
		return record{}, false, err
	}
	for _, r := range records {
		own := make([]string, len(r.Containers))
		for i, c := range r.Containers {
			own[i] = c.ID
		}
		slices.Sort(own)
		if r.Ready && slices.Equal(own, slices.Sorted(slices.Values(ids))) {
			return r, true, nil
		}
	}
	return record{}, false, nil
}
