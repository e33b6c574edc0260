// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"os"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"
)

// capturesDir holds raw evidence of real Calico and Weave Net clusters, a folder
// per case. It is beside the repository, not in it.
const capturesDir = "../../../shared/captures"

// captures are the true causes of the cases (their cause.txt in codes); empty
// is a negative control.
var captures = map[string]Code{
	"calico/api-vip-unreachable":      CNIAPIServerUnreachable,
	"calico/conf-removed":             CNIConfigMissing,
	"calico/crashloop":                CNIDaemonCrashLoop,
	"calico/healthy":                  "",
	"calico/ipam-exhausted":           IPAMExhausted,
	"calico/mtu-too-large-config":     MTUMismatch,
	"calico/network-policy-deny":      NetworkPolicyBlocks,
	"calico/node-agent-down":          CNIDaemonUnreachable,
	"calico/pool-overlaps-services":   SubnetOverlap,
	"calico/rp-filter-loose-harmless": "",
	"calico/token-unauthorized":       CNIUnauthorized,
	"calico/vxlan-port-dropped":       NodeFirewallDrop,
	"calico/wrong-ca":                 CNICertInvalid,
	"weave/conf-present-not-reloaded": CNIConfigMissing,
	"weave/conf-removed":              CNIConfigMissing,
	"weave/daemon-crashloop":          SubnetOverlap,
	"weave/daemon-stopped":            CNIDaemonUnreachable,
	"weave/healthy":                   "",
	"weave/ipam-exhausted":            IPAMExhausted,
	"weave/npc-deny":                  NetworkPolicyBlocks,
	"weave/peer-unreachable":          NodeFirewallDrop,
}

// TestCaptures names the cause of every case and nothing in the controls, in
// five seconds of processor time each at most.
func TestCaptures(t *testing.T) {
	if _, err := os.Stat(capturesDir); err != nil {
		t.Skipf("the captures are not beside the repository: %v", err)
	}
	for name, wanted := range captures {
		t.Run(name, func(t *testing.T) {
			start := processorTime(t)
			report := Diagnose(Source{FS: os.DirFS(path.Join(capturesDir, name))})
			if took := processorTime(t) - start; took > slowdown*5*time.Second {
				t.Errorf("it took %s, wanted 5 s at most", took)
			}
			if report.Top() != wanted {
				t.Errorf("wanted %q, got %q", wanted, report.Top())
			}
			if wanted != "" && report.Top() == wanted && len(report.Findings[0].Evidence) == 0 {
				t.Error("the finding quotes nothing")
			}
			for i, f := range report.Findings {
				t.Logf("%.2f %s %s %v explains %v", f.Confidence, f.Code, f.Title, f.Nodes, f.Explains)
				for _, q := range f.Evidence {
					if t.Failed() || i == 0 {
						t.Logf("    %s:%d: %.200s", q.File, q.Line, q.Text)
					}
				}
			}
			if u := report.Unknown; u != nil {
				t.Logf("unknown: %v", u.Symptoms)
			}
			for _, f := range report.Findings {
				verifyQuotes(t, path.Join(capturesDir, name), f)
			}
		})
	}
}

// processorTime is what the process has used so far: what others do on the
// machine does not count.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// verifyQuotes checks that what a finding quotes is in the file at that line.
func verifyQuotes(t *testing.T, dir string, f Finding) {
	t.Helper()
	for _, q := range f.Evidence {
		data, err := os.ReadFile(path.Join(dir, q.File))
		if err != nil {
			t.Errorf("quoted file: %v", err)
			continue
		}
		lines := strings.Split(string(data), "\n")
		head, _, _ := strings.Cut(q.Text, " ...")
		if q.Line < 1 || q.Line > len(lines) || !strings.Contains(lines[q.Line-1], head) {
			t.Errorf("%s:%d does not have %q", q.File, q.Line, head)
		}
	}
}
