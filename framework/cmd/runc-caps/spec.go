// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
)

// object is a JSON object whose members we do not look at stay byte for byte as they were.
type object map[string]json.RawMessage

// editor returns doc, fitted to the host.
type editor func(doc []byte, h host) ([]byte, error)

// editConfig fits the process of an OCI runtime config.json.
func editConfig(doc []byte, h host) ([]byte, error) {
	var config object
	if err := json.Unmarshal(doc, &config); err != nil {
		return nil, fmt.Errorf("parse the OCI configuration: %w", err)
	}
	if len(config["process"]) == 0 {
		return doc, nil
	}
	process, err := editProcess(config["process"], h)
	if err != nil {
		return nil, err
	}
	config["process"] = process
	return json.Marshal(config)
}

// editProcess fits an OCI runtime process: its capability lists, and the
// oom_score_adj that a process without CAP_SYS_RESOURCE may not lower (proc(5)).
func editProcess(doc []byte, h host) ([]byte, error) {
	var process object
	if err := json.Unmarshal(doc, &process); err != nil {
		return nil, fmt.Errorf("parse the OCI process: %w", err)
	}
	if raw := process["capabilities"]; len(raw) > 0 {
		var lists map[string][]string
		if err := json.Unmarshal(raw, &lists); err != nil {
			return nil, fmt.Errorf("parse the capability lists: %w", err)
		}
		for name, list := range lists {
			lists[name] = h.fit(list)
		}
		fitted, err := json.Marshal(lists)
		if err != nil {
			return nil, fmt.Errorf("write the capability lists: %w", err)
		}
		process["capabilities"] = fitted
	}
	if raw := process["oomScoreAdj"]; len(raw) > 0 && !h.grants("CAP_SYS_RESOURCE") {
		var wanted int
		if err := json.Unmarshal(raw, &wanted); err != nil {
			return nil, fmt.Errorf("parse oomScoreAdj: %w", err)
		}
		process["oomScoreAdj"] = fmt.Appendf(nil, "%d", max(wanted, h.oomScoreAdj))
	}
	return json.Marshal(process)
}
