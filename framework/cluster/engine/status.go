// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// Status writes which engine answers and what Stop would undo. The error says
// that no engine answers.
func Status(ctx context.Context, w io.Writer) error {
	m, unlock, err := open(ctx, w)
	if err != nil {
		return err
	}
	defer unlock()
	version, pingErr := ping(ctx)
	if pingErr == nil {
		fmt.Fprintf(w, "engine: Docker %s answers\n", version)
	}
	if m.record.Dockerd.alive() {
		fmt.Fprintf(w, "engine: started by cniproof, pid %d, log %s\n", m.record.Dockerd.PID, filepath.Join(m.dir, "dockerd.log"))
	} else {
		fmt.Fprintln(w, "engine: not started by cniproof")
	}
	if m.record.Resolver.alive() {
		fmt.Fprintf(w, "engine: name server of the containers on %s, pid %d\n", resolverAddress, m.record.Resolver.PID)
	}
	for _, iptables := range []string{"iptables", "ip6tables"} {
		if rules, err := run(ctx, iptables, "-w", "-v", "-n", "-L", chain); err == nil {
			fmt.Fprintf(w, "engine: %s\n%s\n", iptables, rules)
		}
	}
	for name, value := range m.record.Sysctls {
		fmt.Fprintf(w, "engine: %s was %s\n", name, value)
	}
	if pingErr != nil {
		return errors.Join(errors.New("no Docker engine answers"), pingErr)
	}
	return nil
}
