// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cniproof/cniproof/fixtures/probe/job"
)

// Sample is what became of one, at the moment it was sent, on its node's clock.
type Sample struct {
	At     time.Time
	Letter byte
}

// Samples are those of each path in the order of time.
type Samples map[Path][]Sample

// read returns the samples of all files of dir, as fetch names them. Lines that
// are cut are left out; a file that is read twice over counts once.
func read(dir string) (Samples, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.jsonl"))
	if err != nil {
		return nil, err
	}
	all := Samples{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read samples: %w", err)
		}
		all.add(filepath.Base(filepath.Dir(file)), data)
	}
	for path, list := range all {
		slices.SortFunc(list, func(a, b Sample) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
		all[path] = slices.CompactFunc(list, func(a, b Sample) bool { return a.At.Equal(b.At) })
	}
	return all, nil
}

func (s Samples) add(node string, data []byte) {
	for line := range bytes.Lines(data) {
		var r job.Record
		if json.Unmarshal(line, &r) != nil {
			continue
		}
		for id, slots := range r.Paths {
			path, ok := parseID(node, id)
			if !ok {
				continue
			}
			begin := time.Unix(0, r.At).Add(slots.Phase)
			for i := range len(slots.Samples) {
				if letter := slots.Samples[i]; letter != job.SampleNone {
					s[path] = append(s[path], Sample{begin.Add(time.Duration(i) * r.Every), letter})
				}
			}
		}
	}
}
