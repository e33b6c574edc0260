// SPDX-License-Identifier: Apache-2.0

package session

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"
)

// Annotations of a run's namespaces, by which a later run tells a leftover from
// a run that is still going on.
const (
	// OwnerAnnotation is "<host>/<boot id>/<pid>/<start time>" of the process
	// that made the namespace; the start time is field 22 of /proc/<pid>/stat
	// (proc(5)), so that a reused pid is not mistaken for the owner.
	OwnerAnnotation = "cniproof.io/owner"
	// ExpiresAnnotation is when any run may remove it, RFC 3339. It decides
	// for owners on other hosts, whose processes cannot be seen from here.
	ExpiresAnnotation = "cniproof.io/expires"
)

// lifetime is how long another host's namespace is left alone: longer than any
// run may take.
const lifetime = 2 * time.Hour

// Ownership are the annotations of a namespace that this process makes now. With
// workloads.ManagedByLabel on it, a later run removes it should this process be
// killed.
func Ownership() map[string]string {
	return map[string]string{
		OwnerAnnotation:   owner(),
		ExpiresAnnotation: time.Now().Add(lifetime).UTC().Format(time.RFC3339),
	}
}

// OwnershipUntil is Ownership of what may be needed for longer than any run.
func OwnershipUntil(until time.Time) map[string]string {
	annotations := Ownership()
	annotations[ExpiresAnnotation] = until.UTC().Format(time.RFC3339)
	return annotations
}

// Lasting are the annotations of a namespace that is to outlive this process: it is
// left alone until then, and a later run removes it after.
func Lasting(until time.Time) map[string]string {
	return map[string]string{ExpiresAnnotation: until.UTC().Format(time.RFC3339)}
}

// owner names this process.
func owner() string {
	return fmt.Sprintf("%s/%d/%s", host(), os.Getpid(), startTime(os.Getpid()))
}

// host names this host and its boot; a container that shares neither hostname
// nor boot with the owner never takes its namespaces for leftovers early.
func host() string {
	name, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return name + "/" + strings.TrimSpace(string(boot))
}

// startTime is a process's start in clock ticks since boot, "" when there is no
// such process or no /proc.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The command name, field 2, is in parentheses and may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	return fields[19]
}

// stale tells whether what carries these annotations was left behind: its owner
// was a process of this host that is gone, or its time is over.
func stale(annotations map[string]string, now time.Time) bool {
	if rest, ok := strings.CutPrefix(annotations[OwnerAnnotation], host()+"/"); ok {
		var pid int
		var start string
		if n, _ := fmt.Sscanf(strings.Replace(rest, "/", " ", 1), "%d %s", &pid, &start); n == 2 {
			return startTime(pid) != start
		}
	}
	expires, err := time.Parse(time.RFC3339, annotations[ExpiresAnnotation])
	return err == nil && now.After(expires)
}
