// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// corpusFile holds excerpts of real logs with their causes. It is beside the
// repository, not in it.
const corpusFile = "../../../shared/corpus/real-logs.jsonl"

// accepted maps the corpus' labels to codes, the best first.
var accepted = map[string][]Code{
	"apiserver-unreachable-from-cni":  {CNIAPIServerUnreachable},
	"application-crash":               {NotNetworkApplication},
	"bridge-ip-mismatch":              {BridgeAddressConflict},
	"cgroup-runc-sandbox-failure":     {NotNetworkRuntime},
	"cni-binary-missing":              {CNIBinaryMissing},
	"cni-config-malformed":            {CNIConfigMalformed},
	"cni-config-missing":              {CNIConfigMissing},
	"cni-config-version-incompatible": {CNIVersionIncompatible},
	"cni-daemon-crashloop":            {CNIDaemonCrashLoop},
	"cni-daemon-down":                 {CNIDaemonUnreachable},
	"conntrack-full":                  {ConntrackFull},
	"coredns-down":                    {CoreDNSDown, CoreDNSMisconfigured},
	"dns-upstream-failure":            {DNSUpstreamFailure},
	"egress-blocked":                  {EgressBlocked},
	"image-pull-failure":              {NotNetworkImagePull},
	"ip-forward-disabled":             {IPForwardDisabled},
	"ipam-exhausted":                  {IPAMExhausted},
	"kernel-module-missing":           {KernelModuleMissing},
	"kube-proxy-misconfig":            {KubeProxyMisconfigured},
	"networkpolicy-blocking":          {NetworkPolicyBlocks},
	"node-firewall-drop":              {NodeFirewallDrop},
	"node-ip-changed":                 {NodeIPChanged},
	"node-route-missing":              {NodeRouteMissing},
	"pod-dns-misconfig":               {PodDNSMisconfigured},
	"proxy-misconfig":                 {ProxyMisconfigured},
	"rbac-cni-unauthorized":           {CNIUnauthorized},
	"rp-filter":                       {RPFilterStrict},
	"runtime-down":                    {RuntimeDown},
	"sandbox-name-conflict":           {SandboxStale},
	"scheduling-failure":              {NotNetworkScheduling},
	"service-selector-mismatch":       {ServiceSelectorMismatch},
	"subnet-overlap":                  {SubnetOverlap},

	// Causes without a code: unknown, or the parent cause where there is one.
	"other:cluster-name-resolved-outside-pod":  {UnknownCause},
	"other:cni-kubeconfig-wrong-ca":            {CNICertInvalid},
	"other:cni-wrong-node-address":             {UnknownCause},
	"other:pod-cidr-not-assigned":              {UnknownCause},
	"other:secondary-parent-interface-missing": {UnknownCause},
}

type excerptOf struct{ ID, Kind, Cause, Text string }

// TestCorpus names the causes of the excerpts: 95 % of the top findings right,
// and none of the network's on an excerpt that is not, nor the reverse.
func TestCorpus(t *testing.T) {
	right, total, byCode := 0, 0, map[string][2]int{}
	for _, e := range corpus(t) {
		wanted, known := accepted[e.Cause]
		if !known {
			t.Errorf("%s: no code for label %s", e.ID, e.Cause)
			continue
		}
		total++
		report := diagnoseText(e.Text)
		tally := byCode[e.Cause]
		tally[1]++
		if slices.Contains(wanted, report.Top()) {
			right++
			tally[0]++
		} else {
			t.Logf("%s: wanted %v, got %s %v", e.ID, wanted, report.Top(), titles(report))
		}
		byCode[e.Cause] = tally
		if got := report.Top(); got != UnknownCause && wanted[0] != UnknownCause && got.Network() != wanted[0].Network() {
			t.Errorf("%s: %s is on the wrong side of the network, wanted %s", e.ID, got, wanted[0])
		}
	}
	labels := make([]string, 0, len(byCode))
	for l := range byCode {
		labels = append(labels, l)
	}
	sort.Strings(labels)
	for _, l := range labels {
		t.Logf("%-42s %d/%d", l, byCode[l][0], byCode[l][1])
	}
	t.Logf("top-1: %d of %d (%.1f %%)", right, total, 100*float64(right)/float64(total))
	if right*100 < total*95 {
		t.Errorf("top-1 accuracy %d of %d, wanted 95 %%", right, total)
	}
}

func titles(r Report) []string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, string(f.Code)+": "+f.Title)
	}
	return all
}

func corpus(t *testing.T) []excerptOf {
	t.Helper()
	file, err := os.Open(corpusFile)
	if err != nil {
		t.Skipf("the corpus is not beside the repository: %v", err)
	}
	defer file.Close()
	var all []excerptOf
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		var e excerptOf
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			t.Fatalf("corpus: %v", err)
		}
		all = append(all, e)
	}
	return all
}

// diagnoseText diagnoses text somebody pasted.
func diagnoseText(text string) Report {
	return Diagnose(Source{Files: []fact.File{{Name: "-", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}}})
}
