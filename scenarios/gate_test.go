// SPDX-License-Identifier: Apache-2.0

package scenarios_test

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/gate"
	"github.com/cniproof/cniproof/framework/report"
)

var (
	gateExam     = flag.Bool("gate-exam", false, "gate upgrades that are good and bad, on a kind cluster of ours")
	gateTopology = flag.String("gate-topology", "default", "the topology of that cluster")
	gateFor      = flag.Duration("gate-for", 0, "begin no upgrade that is not done by then, after the start; 0 begins all")
	gateTurn     = flag.Uint("gate-turn", 0, "gate only the good and the bad upgrade whose turn it is, e.g. the number of the day; each has its turn within six; 0 gates all")
	gateOthers   = flag.Bool("gate-others", false, "gate the others of -gate-turn, beginning with those of the next turn")
)

// upgrade is something done to a cluster, and what the gate must make of it. In
// commands $CP and $WORKER are the containers of two nodes, $WORKERS those of all
// workers, and kubectl is the one on the former.
type upgrade struct {
	name    string
	command string
	// heal undoes what is left of it.
	heal string
	// areas are those that are checked before and after.
	areas []string
	// verdict is the one wanted; shut are beginnings of the answers that must shut
	// the gate, and named what some reason or finding has to say.
	verdict string
	shut    []string
	named   []string
	// topologies it is for; empty is any.
	topologies []string
	budget     string
	// settle is how long to wait for what does not settle; 0 is the gate's own time.
	settle time.Duration
	// prepare brings onto the nodes what the command needs and returns variables of
	// it, before anything is watched; nil does nothing.
	prepare func(ctx context.Context, c *cluster.Cluster) (variables string, err error)
	// from is the minor version of Kubernetes the cluster must have, and which it
	// has not any more afterwards: it is removed. Empty is the newest there is.
	from string
	// takes is about how long it takes, for -gate-for; 0 is three minutes.
	takes time.Duration
}

const manifests = "/etc/kubernetes/manifests"

var upgrades = []upgrade{
	{
		name: "flannel_restarted", areas: []string{"node", "cni"}, verdict: report.Success,
		command: `kubectl -n kube-flannel set env ds/kube-flannel-ds CNIPROOF_ROLLOUT=$(date +%s) && kubectl -n kube-flannel rollout status ds/kube-flannel-ds --timeout=180s`,
	},
	{
		name: "command_fails_half_way", areas: []string{"node"}, verdict: report.Failure,
		command: `echo step one; echo step two fails >&2; exit 3`,
		shut:    []string{"the upgrade command succeeds: no, the command ended with exit code 3"},
	},
	{
		name: "cni_config_gone", areas: []string{"node", "cni"}, verdict: report.Failure, settle: 20 * time.Second,
		command: `docker exec $WORKER mv /etc/cni/net.d /etc/cni/net.d.gone && sleep 5`,
		heal:    `docker exec $WORKER sh -c 'if [ -d /etc/cni/net.d.gone ]; then rm -rf /etc/cni/net.d; mv /etc/cni/net.d.gone /etc/cni/net.d; fi'`,
		shut:    []string{"no check fails that did not before: no"},
		named:   []string{"CNI_CONFIG_MISSING"},
	},
	{
		name: "kube_proxy_absent", areas: []string{"service"}, verdict: report.Failure,
		command: `kubectl -n kube-system patch ds kube-proxy -p '{"spec":{"updateStrategy":{"$retainKeys":["type"],"type":"OnDelete"},"template":{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"NotIn","values":["'$WORKER'"]}]}]}}}}}}}' && sleep 5`,
		heal:    `kubectl -n kube-system patch ds kube-proxy -p '{"spec":{"updateStrategy":{"type":"RollingUpdate"},"template":{"spec":{"affinity":null}}}}' && kubectl -n kube-system rollout status ds/kube-proxy --timeout=60s`,
		shut:    []string{"no check fails that did not before: no"},
		named:   []string{"KUBE_PROXY_DOWN"},
	},
	{
		name: "connections_cut", areas: []string{"node"}, verdict: report.Failure,
		// kube-proxy stands still meanwhile: what it wrote between the two would be lost to
		// new connections too, until it writes all of its rules anew.
		command: `docker exec $WORKER sh -c 'pkill -STOP kube-proxy; sleep 0.5; iptables-save -t nat > /run/nat; iptables -w -t nat -F; conntrack -F; sleep 0.4; iptables-restore -w < /run/nat; rm /run/nat; pkill -CONT kube-proxy'; sleep 25`,
		heal:    `docker exec $WORKER pkill -CONT kube-proxy`,
		shut:    []string{"established connections survive: no"},
		named:   []string{"connection tracking was flushed"},
	},
	{
		name: "overlay_mtu_lowered", areas: []string{"mtu"}, verdict: report.Failure, topologies: []string{"default", "two-node"},
		command: `docker exec $WORKER ip link set flannel.1 mtu 1300 && sleep 3`,
		heal:    `docker exec $WORKER ip link set flannel.1 mtu 1450`,
		shut:    []string{"no check fails that did not before: no"},
		named:   []string{"MTU_MISMATCH"},
	},
	{
		name: "api_server_away", areas: []string{"node"}, verdict: report.Success,
		command: `docker exec $CP mv ` + manifests + `/kube-apiserver.yaml /run/; sleep 60; docker exec $CP mv /run/kube-apiserver.yaml ` + manifests + `/; until kubectl get --raw /readyz; do sleep 1; done`,
		heal:    `docker exec $CP sh -c 'if [ -f /run/kube-apiserver.yaml ]; then mv /run/kube-apiserver.yaml ` + manifests + `/; fi'`,
	},
	{
		name: "kube_proxy_to_nftables", areas: []string{"node", "service"}, verdict: report.Success,
		command: `kubectl -n kube-system get cm kube-proxy -o yaml | sed 's/mode: .*/mode: nftables/' | kubectl apply -f - && kubectl -n kube-system rollout restart ds/kube-proxy && kubectl -n kube-system rollout status ds/kube-proxy --timeout=180s`,
		heal:    `kubectl -n kube-system get cm kube-proxy -o yaml | sed 's/mode: .*/mode: iptables/' | kubectl apply -f - && kubectl -n kube-system rollout restart ds/kube-proxy && kubectl -n kube-system rollout status ds/kube-proxy --timeout=180s`,
		// Between the rules of the old mode and those of the new there are none, for as long
		// as kube-proxy takes to its first sync: 8 s on dual-stack where it lacks processor.
		budget: "service=15s,nodeport=15s,dns=15s,service/held=30s,nodeport/held=30s,total=40s",
	},
	flannelReconfigured,
	coreDNSReplaced,
	kubernetesInPlace,
}

// TestGate gates good and bad upgrades: the good ones pass, each bad one is stopped
// and its cause named.
//
//	go test ./scenarios -run TestGate -gate-exam -v -timeout 90m
func TestGate(t *testing.T) {
	if !*gateExam {
		t.Skip("pass -gate-exam, or use make gate-exam")
	}
	suited := slices.DeleteFunc(slices.Clone(upgrades), func(u upgrade) bool {
		return len(u.topologies) > 0 && !slices.Contains(u.topologies, *gateTopology)
	})
	began, ran := time.Now(), 0
	for _, u := range chosen(suited, *gateTurn, *gateOthers) {
		t.Run(u.name, func(t *testing.T) {
			if left := *gateFor - time.Since(began); *gateFor > 0 && left < cmp.Or(u.takes, 3*time.Minute) {
				t.Skipf("NOT RUN: the %s of -gate-for leave no time for it", *gateFor)
			}
			ran++
			u.examine(t)
		})
	}
	if ran == 0 {
		t.Skip("NOT RUN: no upgrade was gated")
	}
}

// chosen are the upgrades to gate: the pair of the turn, or the others; all of them,
// and no others, where there are no turns.
func chosen(all []upgrade, turn uint, others bool) []upgrade {
	if turn == 0 && others {
		return nil
	}
	if turn == 0 {
		return all
	}
	var good, bad, sorted []upgrade
	for _, u := range all {
		if u.verdict == report.Success {
			good = append(good, u)
		} else {
			bad = append(bad, u)
		}
	}
	for next := range max(len(good), len(bad)) {
		for _, kind := range [][]upgrade{bad, good} {
			if next < len(kind) {
				sorted = append(sorted, kind[(turn+uint(next))%uint(len(kind))])
			}
		}
	}
	pair := min(2, len(sorted))
	if others {
		return sorted[pair:]
	}
	return sorted[:pair]
}

// TestGateTurns proves that every upgrade has its turn, and is among the others where
// it has not.
func TestGateTurns(t *testing.T) {
	names := func(list []upgrade) (names []string) {
		for _, u := range list {
			names = append(names, u.name)
		}
		return names
	}
	all := slices.Sorted(slices.Values(names(upgrades)))
	for _, begin := range []uint{1, 20787} {
		var had []string
		for turn := begin; turn < begin+6; turn++ {
			pair, others := names(chosen(upgrades, turn, false)), names(chosen(upgrades, turn, true))
			if both := slices.Sorted(slices.Values(slices.Concat(pair, others))); len(pair) != 2 || !slices.Equal(both, all) {
				t.Errorf("turn %d gates %q and then %q, wanted two and the others of %q", turn, pair, others, all)
			}
			if next := names(chosen(upgrades, turn+1, false)); !slices.Equal(others[:2], next) {
				t.Errorf("turn %d goes on with %q, wanted those of the next turn, %q", turn, others[:2], next)
			}
			had = append(had, pair...)
		}
		slices.Sort(had)
		if had = slices.Compact(had); !slices.Equal(had, all) {
			t.Errorf("six turns from %d on gate %q, wanted %q", begin, had, all)
		}
	}
}

// up returns the cluster that the upgrade is of.
func (u upgrade) up(t *testing.T) (*cluster.Cluster, string) {
	provider := cluster.Kind(cluster.KindOptions{
		Topology: *gateTopology, NodeImage: env("NODE_IMAGE", "auto"), Kubernetes: u.from,
		Timeouts: config.DefaultTimeouts(), Log: os.Stderr,
	})
	c, err := provider.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if u.from != "" {
		t.Cleanup(func() {
			if err := provider.Down(context.Background()); err != nil {
				t.Errorf("remove the cluster: %v", err)
			}
		})
	}
	return c, provider.Kubeconfig()
}

func (u upgrade) examine(t *testing.T) {
	c, kubeconfig := u.up(t)
	variables := ""
	if u.prepare != nil {
		var err error
		if variables, err = u.prepare(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	preamble, workers := variables, ""
	for _, n := range c.Nodes {
		if n.ControlPlane {
			preamble += "CP=" + n.Name + "; "
		} else {
			preamble += "WORKER=" + n.Name + "; " // the last
			workers += n.Name + " "
		}
	}
	preamble += "WORKERS='" + workers + "'; "
	preamble += `kubectl() { docker exec -i $CP kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }; `
	if u.heal != "" {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
			defer cancel()
			if out, err := exec.CommandContext(ctx, "sh", "-c", preamble+u.heal+"\nkubectl wait --for=condition=Ready nodes --all --timeout=90s").CombinedOutput(); err != nil {
				t.Errorf("heal: %v\n%s", err, out)
			}
		})
	}
	o := config.Register(flag.NewFlagSet("gate", flag.ContinueOnError))
	o.Kubeconfig, o.Artifacts, o.Areas = kubeconfig, artifacts(t, u.name), u.areas
	o.Gate.Command, o.Gate.MaxDisruption = preamble+u.command, u.budget
	o.Timeouts.Settle = cmp.Or(u.settle, o.Timeouts.Settle)
	var log bytes.Buffer
	run, err := report.Gate(t.Context(), o, 15*time.Minute, &log)
	t.Log(log.String())
	if err != nil {
		t.Fatal(err)
	}
	verdict := report.Judge(run)
	if verdict.Verdict != u.verdict {
		t.Errorf("the verdict is %s, wanted %s", verdict.Verdict, u.verdict)
	}
	failed, _ := run.Gate.Failed()
	for _, want := range u.shut {
		if !strings.Contains(strings.Join(failed, "\n"), want) {
			t.Errorf("the gate is not shut for %q, but for %q", want, failed)
		}
	}
	var named []string
	for _, r := range run.Gate.Reasons {
		named = append(named, r.Text)
	}
	for _, f := range verdict.Findings {
		named = append(named, string(f.Code))
	}
	for _, want := range u.named {
		if !strings.Contains(strings.Join(named, "\n"), want) {
			t.Errorf("%q is not named, but %q", want, named)
		}
	}
	t.Logf("%s: %s; %s", u.name, verdict.Verdict, spent(run.Gate))
}

func spent(r *gate.Result) string {
	var list []string
	for _, s := range r.Spent {
		list = append(list, fmt.Sprintf("%s %s", s.Kind, s.Says()))
	}
	return strings.Join(list, "; ")
}

// artifacts is where the reports of an upgrade stay.
func artifacts(t *testing.T, name string) string {
	if dir := os.Getenv("CNIPROOF_GATE_ARTIFACTS"); dir != "" {
		return dir + "/" + name
	}
	return t.TempDir()
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
