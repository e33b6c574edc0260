// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"os/exec"
	"testing"
	"time"
)

// TestStale uses real processes: one that lives, this one, and one that ended.
func TestStale(t *testing.T) {
	child := exec.Command("true")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	later, earlier := now.Add(time.Hour).Format(time.RFC3339), now.Add(-time.Second).Format(time.RFC3339)
	pid := child.Process.Pid
	for name, c := range map[string]struct {
		owner, expires string
		want           bool
	}{
		"this process":                           {owner(), later, false},
		"this process, even when its time is up": {owner(), earlier, false},
		"a process that ended":                   {fmt.Sprintf("%s/%d/12345", host(), pid), later, true},
		"a reused pid":                           {fmt.Sprintf("%s/1/1", host()), later, true},
		"another host, in its time":              {"elsewhere/boot/7/12345", later, false},
		"another host, after its time":           {"elsewhere/boot/7/12345", earlier, true},
		"no owner, no time":                      {"", "", false},
		"garbage":                                {"x", "tomorrow", false},
		"garbage on this host":                   {host() + "/x", later, false},
	} {
		annotations := map[string]string{OwnerAnnotation: c.owner, ExpiresAnnotation: c.expires}
		if got := stale(annotations, now); got != c.want {
			t.Errorf("%s: stale = %t, want %t", name, got, c.want)
		}
	}
}
