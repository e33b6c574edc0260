// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
)

// record says on disk which fault is in a cluster. It is written before Inject
// and removed when Heal was verified, so that a run that is killed in between
// leaves word of what to heal.
type record struct {
	Scenario string    `json:"scenario"`
	Cluster  string    `json:"cluster"`
	Node     string    `json:"node"`
	Injected time.Time `json:"injected"`
}

func recordPath(clusterName string) (string, error) {
	home, err := config.Home()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(home, "faults")
	return filepath.Join(dir, clusterName+".json"), os.MkdirAll(dir, 0o755)
}

func (r record) write() error {
	path, err := recordPath(r.Cluster)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".next", data, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".next", path)
}

func (r record) remove() error {
	path, err := recordPath(r.Cluster)
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Faulty tells whether a fault of ours was left in the cluster of this name.
func Faulty(cluster string) bool {
	path, err := recordPath(cluster)
	if err != nil {
		return false
	}
	_, err = os.Stat(path)
	return err == nil
}

// Inject makes the fault and no more: nothing is looked at before or after.
// HealLeftover heals it. It returns the commands that show it.
func Inject(ctx context.Context, c *cluster.Cluster, s Scenario, timeouts config.Timeouts) (look []string, err error) {
	t, err := target(c, s)
	if err != nil {
		return nil, err
	}
	note := record{Scenario: s.Name, Cluster: c.Name, Node: t.Node, Injected: time.Now()}
	if err := note.write(); err != nil {
		return nil, fmt.Errorf("write down the fault before making it: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeouts.Inject)
	defer cancel()
	if err := s.Inject(ctx, t); err != nil {
		return nil, fmt.Errorf("inject %s on %s: %w", s.Name, t.Node, err)
	}
	if s.Look != nil {
		look = s.Look(t)
	}
	return look, nil
}

// HealLeftover heals the fault that a killed run left in c, if there is one. It
// returns the scenario's name, "" when there was none. The heal is not verified
// here: the checks that follow do that.
func HealLeftover(ctx context.Context, c *cluster.Cluster, timeouts config.Timeouts) (string, error) {
	path, err := recordPath(c.Name)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	var left record
	if err == nil {
		err = json.Unmarshal(data, &left)
	}
	if err != nil {
		return "", fmt.Errorf("read what fault is in cluster %s: %w", c.Name, err)
	}
	s, ok := Lookup(left.Scenario)
	if !ok {
		return left.Scenario, fmt.Errorf("cluster %s holds the fault %q, which this version does not know: replace the cluster (make cluster-down)", c.Name, left.Scenario)
	}
	ctx, cancel := context.WithTimeout(ctx, timeouts.Heal)
	defer cancel()
	if err := s.Heal(ctx, Target{Cluster: c, Node: left.Node}); err != nil {
		return s.Name, fmt.Errorf("heal %s: %w", s.Name, err)
	}
	return s.Name, left.remove()
}
