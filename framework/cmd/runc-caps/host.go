// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cniproof/cniproof/framework/cluster/engine/capability"
)

// lastKnown is CAP_AUDIT_READ, the last capability that the oldest engine we
// serve (docker 20.10) has a name for.
const lastKnown = 37

// host is what a process started here can be given.
type host struct {
	bounding    capability.Set
	oomScoreAdj int // this process's own: always allowed
}

// readHost reads it from proc, the /proc directory of this process.
func readHost(proc string) (host, error) {
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return host{}, fmt.Errorf("read the capability bounding set: %w", err)
	}
	bounding, err := capability.Bounding(string(status))
	if err != nil {
		return host{}, err
	}
	text, err := os.ReadFile(filepath.Join(proc, "oom_score_adj"))
	if err != nil {
		return host{}, fmt.Errorf("read oom_score_adj: %w", err)
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return host{}, fmt.Errorf("parse oom_score_adj: %w", err)
	}
	return host{bounding: bounding, oomScoreAdj: score}, nil
}

// grants reports whether a process started here can hold the capability.
func (h host) grants(name string) bool {
	return slices.Contains(h.bounding.Names(), name)
}

// fit returns the part of list that the host can grant. A list with everything that
// even the oldest engine can name is a privileged container's and means "all": it
// becomes the whole bounding set, newer capabilities included. The rule needs no
// more than the list, so it also serves an exec, which has no bundle to look into.
func (h host) fit(list []string) []string {
	all := !slices.ContainsFunc((h.bounding & capability.UpTo(lastKnown)).Names(), func(name string) bool {
		return !slices.Contains(list, name)
	})
	if all {
		return h.bounding.Names()
	}
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return !h.grants(name) })
}
