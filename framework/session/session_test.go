// SPDX-License-Identifier: Apache-2.0

package session

import (
	"testing"
	"time"
)

// TestRelease: agents outlive the probe pods, because checks that need no probe pod
// still ask nodes through them.
func TestRelease(t *testing.T) {
	for name, agents := range map[string]bool{"containers of ours": false, "agents of the run": true} {
		t.Run(name, func(t *testing.T) {
			removed := make(chan struct{})
			s := &Session{State: State{Agents: agents}, opened: true, removal: func() error { close(removed); return nil }}
			s.Release()
			wait := 10 * time.Second
			if agents {
				wait = 50 * time.Millisecond
			}
			select {
			case <-removed:
				if agents {
					t.Error("the agents were removed while checks may still need them")
				}
			case <-time.After(wait):
				if !agents {
					t.Error("nothing was removed")
				}
			}
		})
	}
}
